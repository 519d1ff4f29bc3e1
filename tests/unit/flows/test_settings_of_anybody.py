"""Whatever stands in a settings file or a variable: settings, or an error that names what is wrong; no traceback."""

import math
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.settings import Settings, build_spec, load_settings
from storage.errors import ConfigError

NAMES = sorted(Settings.model_fields)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "options", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def load(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("settings") / "a.toml"
    path.write_bytes(content)
    return load_settings(str(path))


@given(content=st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_garbage_is_refused(tmp_path_factory, content):
    try:
        load(tmp_path_factory, content)
    except ConfigError as error:
        assert error.problem  # noqa: PT017 - it may as well be a comment, or nothing


@given(name=st.sampled_from(NAMES) | st.text(min_size=1, max_size=10), value=values)
def test_a_wrong_value_is_refused_by_name(name, value):
    try:
        found = load_settings(**{name: value})
    except ConfigError as error:
        assert name in str(error) or "room" in str(error) or "memory" in str(error)  # noqa: PT017 - or it is right
    else:
        assert value is None or name in NAMES
        assert isinstance(found, Settings)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("workers = 1000000000", "workers"),
        ("workers = 1e999", "workers"),
        ("threads = -1", "threads"),
        ("shard_minutes = inf", "shard_minutes"),
        ("commit_minutes = nan", "commit_minutes"),
        ("batch_minutes = 0", "batch_minutes"),
        ("[chunking]\ntarget_ms = 900000000000\nmax_ms = 1000000000000", "1000000000000"),
        ("[chunking]\ntarget_ms = 'long'", "chunking.target_ms"),
        ("[transcriber]\nname = 3", "transcriber.name"),
        ("chunking = 3", "chunking"),
        ("x = " + "[" * 5_000 + "]" * 5_000, "TOML"),
        ("language = 1979-05-27", "language"),
    ],
)
def test_absurd_values_are_refused_by_name(tmp_path_factory, text, named):
    with pytest.raises(ConfigError) as refused:
        load(tmp_path_factory, text.encode())
    assert named in str(refused.value)


def test_bytes_that_are_no_text_are_no_settings(tmp_path_factory):
    with pytest.raises(ConfigError, match="is not TOML"):
        load(tmp_path_factory, b"language = '\xff\xfe'")


@pytest.mark.parametrize("name", ["VOXLAKE_CHUNKING", "VOXLAKE_TRANSCRIBER__OPTIONS", "VOXLAKE_LINKING"])
def test_a_variable_that_is_no_json_is_named(monkeypatch, name):
    monkeypatch.setenv(name, "{broken")
    with pytest.raises(ConfigError, match=name.removeprefix("VOXLAKE_").partition("__")[0].lower()):
        load_settings()


@given(minutes=st.floats(min_value=1e-300, max_value=1e300))
def test_any_finite_length_of_a_shard_is_a_plan(minutes):
    assert math.isfinite(build_spec(load_settings(profile="fake", shard_minutes=minutes), "a", "b").shard_minutes)


def test_the_command_line_says_it_in_a_line_and_exits_with_3(tmp_path):
    (tmp_path / "voxlake.toml").write_bytes(b"\xff\xfe\0")
    command = [
        sys.executable,
        "-c",
        "from flows.cli import main; main()",
        "plan",
        str(tmp_path),
        str(tmp_path / "lake"),
    ]
    environment = {**os.environ, "VOXLAKE_CONFIG": str(tmp_path / "voxlake.toml")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
