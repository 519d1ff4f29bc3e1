"""Where settings come from, and which are refused."""

from dataclasses import replace

import pytest

from flows.profiles import PROFILES, resolve_profile
from flows.settings import build_spec, load_settings
from storage.errors import ConfigError, EngineUnavailable
from tasks.audio.chunking import ChunkOptions
from tasks.planning.spec import RunSpec, from_plain, to_plain


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOXLAKE_CONFIG", raising=False)


def write(path, text):
    path.write_text(text)
    return str(path)


def test_explicit_over_environment_over_file_over_default(tmp_path, monkeypatch):
    file = write(tmp_path / "a.toml", 'language = "fr"\nworkers = 3\nthreads = 4\n')
    monkeypatch.setenv("VOXLAKE_WORKERS", "5")
    monkeypatch.setenv("VOXLAKE_LANGUAGE", "de")
    settings = load_settings(file, profile="fake", language="en", workers=None)
    assert (settings.language, settings.workers, settings.threads) == ("en", 5, 4)
    assert build_spec(settings, "archive", "lake").commit_minutes == 20.0


def test_file_in_the_working_directory_is_found(tmp_path):
    write(tmp_path / "voxlake.toml", "workers = 7")
    assert load_settings().workers == 7


def test_file_named_by_the_environment_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("VOXLAKE_CONFIG", write(tmp_path / "b.toml", "workers = 9"))
    assert load_settings().workers == 9


def test_nested_options_come_from_variables(monkeypatch):
    monkeypatch.setenv("VOXLAKE_CHUNKING__TARGET_MS", "300000")
    monkeypatch.setenv("VOXLAKE_TRANSCRIBER__OPTIONS__ACCENT", "!")
    spec = build_spec(load_settings(profile="fake"), "archive", "lake")
    assert spec.chunking == ChunkOptions(target_ms=300_000)
    assert spec.transcriber.options == {"accent": "!"}


def test_another_engine_starts_from_its_own_options(tmp_path):
    file = write(tmp_path / "c.toml", '[diarizer]\nname = "other"\n[diarizer.options]\nx = 1\n')
    spec = build_spec(load_settings(file, profile="fake"), "archive", "lake")
    assert (spec.diarizer.name, spec.diarizer.options) == ("other", {"x": 1})
    assert spec.embedder.name == "fake"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("workers = 0", "workers"),
        ("wrokers = 1", "wrokers"),
        ("[linking]\nsam = 1", "it knows same"),
        ("[chunking]\nmax_ms = 1", "no room"),
        ("[transcriber]\noption = 1", "transcriber.option"),
        ("a = [", "not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, named):
    with pytest.raises(ConfigError, match=named):
        load_settings(write(tmp_path / "d.toml", text))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_settings(str(tmp_path / "none.toml"))


def test_unknown_profile_lists_the_others_but_not_the_hidden():
    with pytest.raises(ConfigError, match="auto, whisper, nemo, pyannote, embedded") as caught:
        resolve_profile("nothing")
    assert "fake" not in str(caught.value)


def test_auto_never_takes_a_hidden_profile(monkeypatch):
    monkeypatch.setattr("flows.profiles.PROFILES", tuple(p for p in PROFILES if p.is_hidden))
    with pytest.raises(ConfigError):
        resolve_profile("auto")


def test_auto_says_in_one_line_what_it_took_and_why(monkeypatch):
    shown = replace(resolve_profile("fake").profile, name="best", is_hidden=False)
    absent = replace(shown, name="absent", engines={"detector": replace(shown.engines["detector"], name="absent")})
    monkeypatch.setattr("flows.profiles.PROFILES", (absent, shown))
    chosen = resolve_profile("auto")
    assert chosen.profile.name == "best"
    assert "not absent (detector 'absent': no such engine)" in chosen.reason
    assert "\n" not in chosen.reason


@pytest.mark.parametrize("url", ["s3://user:secret@bucket/a", "https://token@host/a"])
def test_credentials_in_addresses_are_refused(url):
    with pytest.raises(ConfigError, match="credentials") as caught:
        build_spec(load_settings(profile="fake"), url, "lake")
    assert "secret" not in str(caught.value)


def test_spec_crosses_processes_as_json():
    spec = build_spec(load_settings(profile="fake", workers=2), "archive", "lake", collection="c")
    assert from_plain(RunSpec, to_plain(spec)) == spec


def test_a_setting_on_the_command_line_is_stronger_than_all_others(tmp_path, monkeypatch):
    file = write(tmp_path / "e.toml", "[linking]\nsame_nats = 0.5\n[transcriber.options]\nx = 1\ny = 2\n")
    monkeypatch.setenv("VOXLAKE_LINKING__SAME_NATS", "0.6")
    said = ["linking.same_nats=0.7", "transcriber.options.y=a=b", "transcriber.name=other", "device=cpu"]
    settings = load_settings(file, assigned=said)
    assert settings.linking.same_nats == 0.7
    assert (settings.transcriber.name, settings.transcriber.options) == ("other", {"x": 1, "y": "a=b"})
    assert settings.device == "cpu"


@pytest.mark.parametrize("text", ["linking.same_nats", "=1", "linking.=1", ".same=1"])
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(ConfigError, match="no assignment"):
        load_settings(assigned=[text])


def test_a_value_is_no_group():
    with pytest.raises(ConfigError, match="language is a value"):
        load_settings(assigned=["language=en", "language.x=1"])


def test_workers_are_as_many_as_processors_or_gpus(monkeypatch):
    monkeypatch.setattr("flows.settings.usable_cpus", lambda: 7)
    monkeypatch.setattr("flows.settings.n_cuda_devices", lambda: 2)
    monkeypatch.setattr("tasks.engines.devices.n_cuda_devices", lambda: 2)
    assert build_spec(load_settings(profile="fake"), "archive", "lake").workers == 7
    on_gpu = build_spec(load_settings(profile="nemo"), "archive", "lake")
    assert (on_gpu.workers, on_gpu.batch_minutes, on_gpu.commit_minutes) == (2, 60.0, 120.0)
    assert build_spec(load_settings(profile="nemo", device="cpu"), "archive", "lake").workers == 7
    assert build_spec(load_settings(profile="nemo", workers=3), "archive", "lake").workers == 3


def test_auto_says_what_it_passed_over(monkeypatch):
    monkeypatch.setattr("flows.profiles.n_cuda_devices", lambda: 0)
    resolved = resolve_profile("auto")
    assert resolved.profile.name == "embedded"
    assert "not whisper (no GPU here)" in resolved.reason
    monkeypatch.setattr("flows.profiles.n_cuda_devices", lambda: 1)
    problem = EngineUnavailable("engine 'parakeet'", "no weights")
    monkeypatch.setattr("flows.profiles.missing_engines", lambda one: [problem] if one.wants_gpu else [])
    assert "not nemo (engine 'parakeet'" in resolve_profile("auto").reason
