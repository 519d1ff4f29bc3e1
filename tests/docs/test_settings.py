"""docs/settings.md and docs/engines.md against the code: every setting and option, with its default."""

import dataclasses
import json

import pytest

from flows.settings import EngineSettings, Settings, load_settings
from tasks.engines.parakeet import ParakeetOptions
from tasks.engines.pyannotes import PyannoteOptions
from tasks.engines.registry import KINDS
from tasks.engines.resemblyzers import DiarizerOptions, EmbedderOptions
from tasks.engines.silero import SileroOptions
from tasks.engines.sortformer_options import SortformerOptions
from tasks.engines.sphinx import SphinxOptions
from tasks.engines.titanet import TitanetOptions
from tasks.engines.whisper_options import WhisperOptions
from tests.docs.blocks import ROOT, blocks, section, table_rows

SETTINGS = ROOT / "docs" / "settings.md"
EMBEDDED = ROOT / "docs" / "engines" / "embedded.md"
PAGES = {
    "whisper": WhisperOptions,
    "parakeet": ParakeetOptions,
    "sortformer": SortformerOptions,
    "pyannote": PyannoteOptions,
    "titanet": TitanetOptions,
}
"""Engines with a page of their own."""
GROUPS = [name for name, field in Settings.model_fields.items() if dataclasses.is_dataclass(field.annotation)]
ENGINE_OPTIONS = {
    "silero": SileroOptions,
    "pocketsphinx": SphinxOptions,
    "resemblyzer as diarizer": DiarizerOptions,
    "resemblyzer as embedder": EmbedderOptions,
}


def documented(page, heading):
    return {row[0]: row[1] for row in table_rows(section(page, heading))}


def defaults(options):
    return {field.name: json.dumps(field.default) for field in dataclasses.fields(options)}


def test_every_setting_of_the_run_is_documented():
    expected = {
        name: json.dumps(field.default)
        for name, field in Settings.model_fields.items()
        if name not in {*GROUPS, *KINDS}
    }
    assert documented(SETTINGS, "The run") == expected


def test_what_can_be_said_of_an_engine_is_documented():
    expected = {name: json.dumps(field.default) for name, field in EngineSettings.model_fields.items()}
    assert documented(SETTINGS, "Engines") == expected
    assert all(f"`{kind}`" in section(SETTINGS, "Engines") for kind in KINDS)


def test_the_groups_are_all_there():
    assert GROUPS == ["chunking", "second_try", "attribution", "utterances", "local_linking", "linking"]


@pytest.mark.parametrize("group", GROUPS)
def test_every_setting_of_a_group_is_documented(group):
    assert documented(SETTINGS, group) == defaults(Settings.model_fields[group].annotation)


@pytest.mark.parametrize("engine", ENGINE_OPTIONS)
def test_every_option_of_an_engine_is_documented(engine):
    assert documented(EMBEDDED, engine) == defaults(ENGINE_OPTIONS[engine])


@pytest.mark.parametrize("engine", PAGES)
def test_every_option_on_an_engine_s_own_page_is_documented(engine):
    assert documented(ROOT / "docs" / "engines" / f"{engine}.md", "Options") == defaults(PAGES[engine])


@pytest.mark.parametrize(
    "block", [block for block in blocks("toml") if "not-settings" not in block.marks], ids=lambda block: block.name
)
def test_settings_files_are_read(block, tmp_path):
    file = tmp_path / "voxlake.toml"
    file.write_text(block.text)
    assert load_settings(str(file)) != load_settings()


def test_the_environment_is_read_as_shown(monkeypatch):
    monkeypatch.setenv("VOXLAKE_LINKING__SAME_NATS", "0.7")
    monkeypatch.setenv("VOXLAKE_TRANSCRIBER__OPTIONS", '{"max_states": 5000}')
    settings = load_settings(workers=4)
    assert settings.linking.same_nats == 0.7
    assert settings.transcriber.options == {"max_states": 5000}
    assert settings.workers == 4
