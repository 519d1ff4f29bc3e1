"""What is said of files that are no NeMo models, before NeMo is imported."""

import io
import tarfile

import pytest

from storage.errors import EngineUnavailable
from tasks.engines.nemo_models import check_nemo_file, nemo_weights, restore_nemo

PARTS = {"model_config.yaml": b"target: x\n", "model_weights.ckpt": bytes(100_000)}


def write_archive(path, parts, folder=""):
    with tarfile.open(path, "w") as archive:
        for name, content in parts.items():
            member = tarfile.TarInfo(folder + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("folder", ["", "./"])
def test_a_whole_file_passes(tmp_path, folder):
    check_nemo_file("x", write_archive(tmp_path / "a.nemo", PARTS, folder))


@pytest.mark.parametrize("kept", [0, 300, 1000, 50_000])
def test_a_file_cut_short_is_named(tmp_path, kept):
    path = write_archive(tmp_path / "a.nemo", PARTS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(EngineUnavailable, match=r"engine 'x': a\.nemo .*fetch or copy the file again"):
        check_nemo_file("x", path)


def test_something_else_than_an_archive(tmp_path):
    path = tmp_path / "a.nemo"
    path.write_text("version https://git-lfs.github.com/spec/v1\n" * 40)
    with pytest.raises(EngineUnavailable, match=r"a\.nemo is no \.nemo file"):
        check_nemo_file("x", path)


def test_a_folder(tmp_path):
    with pytest.raises(EngineUnavailable, match=r"cannot be read \(Is a directory\)"):
        check_nemo_file("x", tmp_path)


@pytest.mark.parametrize("missing", PARTS)
def test_a_part_that_is_missing_is_named(tmp_path, missing):
    path = write_archive(tmp_path / "a.nemo", {name: PARTS[name] for name in PARTS if name != missing})
    with pytest.raises(EngineUnavailable, match=f"holds no {missing}"):
        check_nemo_file("x", path)


def test_a_broken_file_is_refused_before_anything_is_loaded(tmp_path):
    path = tmp_path / "a.nemo"
    path.write_bytes(b"")
    with pytest.raises(EngineUnavailable, match=r"no \.nemo file"):
        restore_nemo("x", "ASRModel", path, "cpu")


def test_a_repository_holds_a_file_of_its_own_name():
    source = nemo_weights("x", "nvidia/parakeet-tdt-0.6b-v3", "abc")
    assert (source.filename, source.revision) == ("parakeet-tdt-0.6b-v3.nemo", "abc")


def test_a_path_is_taken_as_it_is(tmp_path):
    path = write_archive(tmp_path / "some model.nemo", PARTS)
    assert nemo_weights("x", str(path), None).is_local
