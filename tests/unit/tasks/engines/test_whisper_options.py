"""What can be chosen of Whisper, refused before anything is loaded."""

import pytest

from storage.errors import ConfigError
from tasks.engines.options import canonical_json, parse_options
from tasks.engines.whisper_loading import iso_language, split_device, weights_source, whisper_language
from tasks.engines.whisper_options import COMPUTE_TYPES, MODELS, WhisperOptions


@pytest.mark.parametrize(
    "wrong",
    [
        {"beam_size": 0}, {"best_of": 0}, {"patience": 0.0}, {"repetition_penalty": 0.0}, {"no_repeat_ngram_size": -1},
        {"piece_ms": 30_001}, {"piece_ms": 999}, {"join_ms": -1}, {"task": "summarise"}, {"compute_type": "int4"},
        {"temperatures": [0.2]}, {"temperatures": [0.0, 0.4, 0.2]}, {"temperatures": 0.2}, {"batch_size": 0},
        {"language_windows": 0}, {"max_repeats": 0}, {"cpu_threads": -1}, {"model": None},
    ],
)  # fmt: skip
def test_impossible_values_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        parse_options("whisper", WhisperOptions, wrong)


@pytest.mark.parametrize("compute_type", COMPUTE_TYPES)
def test_every_compute_type_can_be_asked_for(compute_type):
    assert parse_options("whisper", WhisperOptions, {"compute_type": compute_type}).compute_type == compute_type


def test_the_environment_can_say_a_ladder_of_temperatures():
    assert parse_options("whisper", WhisperOptions, {"temperatures": "[0.0, 0.5]"}).temperatures == (0.0, 0.5)
    assert parse_options("whisper", WhisperOptions, {"temperatures": []}).temperatures == ()


def test_what_changes_no_result_is_not_in_the_recipe():
    plain = canonical_json(WhisperOptions())
    other = WhisperOptions(model="tiny", revision="main", batch_size=1, cpu_threads=7)
    assert canonical_json(other) == plain
    assert canonical_json(WhisperOptions(beam_size=1)) != plain
    assert canonical_json(WhisperOptions(compute_type="int8")) != plain


def test_sizes_are_repositories_and_other_names_stay():
    assert weights_source(WhisperOptions()).model == MODELS["large-v3-turbo"]
    assert weights_source(WhisperOptions(model="tiny.en", revision="abc")).revision == "abc"
    assert weights_source(WhisperOptions(model="somebody/whisper-ct2")).model == "somebody/whisper-ct2"
    assert weights_source(WhisperOptions(model="./tiny")).model == "./tiny"


@pytest.mark.parametrize(
    ("device", "parts"), [("cpu", ("cpu", 0)), ("cuda", ("cuda", 0)), ("cuda:0", ("cuda", 0)), ("cuda:1", ("cuda", 1))]
)
def test_devices_have_an_index(device, parts):
    assert split_device(device) == parts


@pytest.mark.parametrize("device", ["mps", "cuda:x", "cuda:-1", "tpu:0", ""])
def test_devices_where_it_cannot_run(device):
    with pytest.raises(ConfigError, match="choose cpu, cuda"):
        split_device(device)


@pytest.mark.parametrize(
    ("given", "whisper"),
    [("de", "de"), ("DE", "de"), ("de-AT", "de"), ("zh_Hans", "zh"), ("nb", "no"), ("jv", "jw"), ("iw", "he")],
)
def test_languages_are_called_as_whisper_calls_them(given, whisper):
    assert whisper_language(given) == whisper


def test_languages_come_back_as_iso_codes():
    assert iso_language("jw") == "jv"
    assert iso_language("de") == "de"
