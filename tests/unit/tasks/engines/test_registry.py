import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from storage.errors import EngineUnavailable, UnknownEngine
from tasks.engines import registry

OWN = {
    "detector": {"silero", "fake"},
    "transcriber": {"pocketsphinx", "whisper", "parakeet", "fake"},
    "diarizer": {"resemblyzer", "sortformer", "pyannote", "fake"},
    "embedder": {"resemblyzer", "titanet", "fake"},
}


@pytest.fixture
def plug_in(monkeypatch):
    """Register one entry point as if somebody else's package brought it."""

    def register(value):
        point = EntryPoint(name="theirs", value=value, group="voxlake.detectors")
        monkeypatch.setattr(registry, "_points", lambda kind: [point] if kind == "detector" else [])

    return register


@pytest.mark.parametrize("kind", registry.KINDS)
def test_own_engines_are_listed_and_found(kind):
    names = registry.names(kind)
    assert names == sorted(names)
    assert set(names) >= OWN[kind]
    assert all(registry.find(kind, name).info.licence for name in OWN[kind])


def test_an_unknown_engine_names_the_ones_there_are():
    with pytest.raises(UnknownEngine) as caught:
        registry.find("transcriber", "wisper")
    assert caught.value.subject == "transcriber 'wisper'"
    assert "fake, parakeet, pocketsphinx, whisper" in caught.value.remedy


def test_a_name_of_another_kind_is_unknown():
    with pytest.raises(UnknownEngine):
        registry.find("diarizer", "silero")


def test_engines_of_others_are_found(plug_in):
    plug_in("tasks.engines.fake:FakeDetector")
    assert registry.names("detector") == ["theirs"]
    assert registry.find("detector", "theirs").__name__ == "FakeDetector"
    assert registry.names("embedder") == []
    with pytest.raises(UnknownEngine, match=r"\(none installed\)"):
        registry.find("embedder", "theirs")


def test_a_plug_in_that_cannot_be_imported_is_unavailable(plug_in):
    plug_in("nowhere_to_be_found.engine:Detector")
    with pytest.raises(EngineUnavailable, match="nowhere_to_be_found") as caught:
        registry.find("detector", "theirs")
    assert isinstance(caught.value.__cause__, ImportError)
    assert caught.value.remedy == "install the package that provides it"


def test_an_entry_point_that_names_nothing_is_unavailable(plug_in):
    plug_in("tasks.engines.fake:NoSuchDetector")
    with pytest.raises(EngineUnavailable, match="names nothing"):
        registry.find("detector", "theirs")


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        *((name, "embedded") for name in ("silero", "pocketsphinx", "resemblyzer")),
        *((name, "nemo") for name in ("parakeet", "sortformer", "titanet")),
        ("whisper", "whisper"),
        ("pyannote", "pyannote"),
    ],
)
def test_a_missing_library_names_the_extra(name, extra):
    error = registry.missing_library(name, ModuleNotFoundError("No module named 'x'"))
    assert error.remedy == f'install it with: pip install "voxlake[{extra}]"'
    assert "No module named 'x'" in str(error)


def test_listing_and_finding_import_no_library():
    heavy = {
        "torch", "onnxruntime", "ctranslate2", "faster_whisper", "pocketsphinx", "resemblyzer", "librosa", "nemo",
        "pyannote", "prefect",
    }  # fmt: skip
    code = (
        "import sys; from tasks.engines import registry as r; "
        "[r.find(kind, name) for kind in r.KINDS for name in r.names(kind)]; "
        f"print({heavy} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
