"""The engine that docs/engines.md shows keeps the promises that it lists."""

from typing import ClassVar

import pytest

from storage.errors import ConfigError
from tasks.engines.base import Transcriber
from tests.contract.suites import TranscriberContract
from tests.docs.blocks import ROOT, blocks

PAGE = ROOT / "docs" / "engines.md"
(BLOCK,) = [block for block in blocks("python") if block.page == PAGE and "class HummingTranscriber" in block.text]
NAMES: dict[str, object] = {"__name__": "example"}
exec(compile(BLOCK.text, str(PAGE), "exec"), NAMES)


class TestHumming(TranscriberContract):
    engine = NAMES["HummingTranscriber"]
    options: ClassVar = {"text": "mm"}


def test_it_is_a_transcriber_as_far_as_python_can_tell():
    engine: Transcriber = TestHumming.engine.from_options({}, device="cpu")
    assert engine.info.licence


def test_it_refuses_options_that_it_does_not_know():
    with pytest.raises(ConfigError, match="text"):
        TestHumming.engine.identify({"txet": "hm"})
