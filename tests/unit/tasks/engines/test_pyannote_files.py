"""Where the pieces of a pyannote pipeline are found, without pyannote."""

import pytest
import yaml

from storage.errors import EngineUnavailable
from tasks.engines.pyannote_files import find_pipeline, pipeline_sources
from tasks.engines.pyannote_loading import local_config
from tasks.engines.weights_folder import VARIABLE, add_record, folder_of

COMMUNITY = {
    "clustering": "VBxClustering",
    "segmentation": "$model/segmentation",
    "embedding": "$model/embedding",
    "plda": "$model/plda",
}
OLDER = {
    "clustering": "AgglomerativeClustering",
    "segmentation": "pyannote/segmentation-3.0",
    "embedding": "pyannote/wespeaker-voxceleb-resnet34-LM",
}
PIPELINE_31 = "pyannote/speaker-diarization-3.1"
NAME = "pyannote.audio.pipelines.SpeakerDiarization"


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """Let the hub's cache be an empty folder."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path / "hub"


def write(folder, params=COMMUNITY, name=NAME, **more):
    config = {"pipeline": {"name": name, "params": params}, "params": {"clustering": {"threshold": 0.6}}, **more}
    put(folder / "config.yaml", yaml.safe_dump(config))
    return folder


def put(path, content="weights"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def write_whole(folder, seed="1"):
    write(folder)
    for name in ("segmentation", "embedding"):
        put(folder / name / "pytorch_model.bin", name + seed)
    for name in ("xvec_transform.npz", "plda.npz"):
        put(folder / "plda" / name, name + seed)
    return folder


def found(folder, model):
    return find_pipeline("pyannote", str(folder if model is None else model), None)


def test_models_beside_the_configuration(tmp_path):
    folder = write_whole(tmp_path / "community")
    models = found(folder, None).models
    assert models == {part: folder / part for part in ("segmentation", "embedding", "plda")}
    assert found(folder / "config.yaml", None).models == models
    assert [source.model for source in pipeline_sources("pyannote", str(folder), None)] == [str(folder)]


def test_the_digest_follows_contents_and_not_places(tmp_path):
    one, same, other = (
        found(write_whole(tmp_path / name, seed), None).digest() for name, seed in zip("abc", "112", strict=True)
    )
    assert one == same != other


@pytest.mark.parametrize("piece", ["config.yaml", "segmentation/pytorch_model.bin", "plda/plda.npz"])
def test_every_piece_counts_and_a_missing_one_is_named(tmp_path, piece):
    folder = write_whole(tmp_path)
    before = found(folder, None).digest()
    put(folder / piece, (folder / piece).read_text() + "\n")
    assert found(folder, None).digest() != before
    (folder / piece).unlink()
    with pytest.raises(EngineUnavailable, match=piece.rpartition("/")[2]):
        found(folder, None)


def test_models_of_other_repositories_come_from_the_fetched_ones(tmp_path, monkeypatch):
    for model in OLDER.values():
        if "/" in model:
            put(folder_of(tmp_path, model) / "pytorch_model.bin", model)
            add_record(tmp_path, model, None, "c" * 40, [folder_of(tmp_path, model) / "pytorch_model.bin"])
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    models = found(write(tmp_path / "elsewhere" / "mine", OLDER), None).models
    assert models == {part: folder_of(tmp_path, OLDER[part]) for part in ("segmentation", "embedding")}


def test_models_of_other_repositories_may_lie_in_folders_beside(tmp_path):
    folder = write(folder_of(tmp_path, PIPELINE_31), OLDER)
    for part in ("segmentation", "embedding"):
        put(folder_of(tmp_path, OLDER[part]) / "pytorch_model.bin")
    assert found(folder, None).models["embedding"] == tmp_path / "pyannote--wespeaker-voxceleb-resnet34-LM"


def test_models_of_other_repositories_come_from_the_hubs_cache(tmp_path, hub):
    for part in ("segmentation", "embedding"):
        repository = hub / f"models--{OLDER[part].replace('/', '--')}"
        put(repository / "refs" / "main", "a" * 40)
        put(repository / "snapshots" / ("a" * 40) / "pytorch_model.bin", part)
    models = found(write(tmp_path / "mine", OLDER), None).models
    assert (models["segmentation"] / "pytorch_model.bin").read_text() == "segmentation"


def test_a_model_that_is_missing_says_which_page_to_accept(tmp_path):
    with pytest.raises(
        EngineUnavailable, match=r"segmentation-3\.0.*https://hf\.co/pyannote/segmentation-3\.0.*HF_TOKEN"
    ):
        found(write(tmp_path / "mine", OLDER), None)
    with pytest.raises(EngineUnavailable, match=r"https://hf\.co/pyannote/speaker-diarization-community-1.*HF_TOKEN"):
        found(None, "pyannote/speaker-diarization-community-1")


def test_all_repositories_are_named_before_and_after_fetching(tmp_path):
    names = [PIPELINE_31, OLDER["segmentation"], OLDER["embedding"]]
    sources = pipeline_sources("pyannote", PIPELINE_31, None)
    assert [source.model for source in sources] == names
    assert sources[1].gate_page == "https://hf.co/pyannote/segmentation-3.0"
    here = write(tmp_path / "mine", OLDER)
    assert pipeline_sources("pyannote", str(here), None)[1:] == sources[1:]
    unknown = pipeline_sources("pyannote", "pyannote/speaker-diarization-community-1", "v1")
    assert [(source.model, source.revision) for source in unknown] == [
        ("pyannote/speaker-diarization-community-1", "v1")
    ]


@pytest.mark.parametrize(
    ("value", "model", "revision"),
    [
        ("some/model@v2", "some/model", "v2"),
        ({"checkpoint": "some/model", "revision": "v2", "subfolder": "deep"}, "some/model", "v2"),
        ("$model/segmentation@v2", "", "v2"),
    ],
)
def test_revisions_and_subfolders_are_understood(tmp_path, value, model, revision):
    folder = write(tmp_path / "mine", {**OLDER, "segmentation": value})
    source = pipeline_sources("pyannote", str(folder), None)[1]
    assert (source.model, source.revision) == (model or str(folder), revision)
    assert source.patterns[0].endswith("pytorch_model.bin")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pipeline: [", "no configuration of a pipeline"),
        ("- 1", "no configuration of a pipeline"),
        ("pipeline: {name: os.system, params: {}}", "not of pyannote's SpeakerDiarization"),
        ("pipeline: {name: pyannote.audio.pipelines.VoiceActivityDetection, params: {}}", "not of pyannote's"),
        (f"pipeline: {{name: {NAME}, params: {{segmentation: x}}}}", "names no embedding"),
    ],
)
def test_other_configurations_are_refused(tmp_path, text, said):
    put(tmp_path / "config.yaml", text)
    with pytest.raises(EngineUnavailable, match=said):
        found(tmp_path, None)


def test_a_folder_of_something_else_is_refused(tmp_path):
    put(tmp_path / "model.bin")
    with pytest.raises(EngineUnavailable, match=r"no config\.yaml"):
        found(tmp_path, None)


def test_the_library_gets_paths_only_and_nothing_that_opens_more(tmp_path):
    folder = write(write_whole(tmp_path / "speechbrain"), device="cuda", preprocessors={"a": {"name": "os.system"}})
    config = local_config(found(folder, None), without_plda=None)
    assert config["pipeline"]["params"]["embedding"] == {"checkpoint": str(folder / "embedding"), "strict": False}
    assert config["pipeline"]["params"]["plda"] == {"checkpoint": str(folder / "plda")}
    assert set(config) == {"pipeline", "params"}


def test_a_clustering_without_plda_fetches_none(tmp_path):
    folder = write(write_whole(tmp_path), {**COMMUNITY, "clustering": "AgglomerativeClustering"})
    assert local_config(found(folder, None), without_plda="none")["pipeline"]["params"]["plda"] == "none"
