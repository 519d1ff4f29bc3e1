"""docs/confidence.md against the code: thresholds, constants, and an entry for every engine."""

import pytest

from tasks.attribution.attribute import AttributeOptions
from tasks.attribution.speaker_confidence import FOLLOWED, OUTSIDE
from tasks.attribution.utterances import UNCERTAIN_BELOW
from tasks.engines.registry import names
from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs" / "confidence.md").read_text()


def test_the_threshold_of_an_uncertain_speaker_is_said():
    assert f"is set below **{UNCERTAIN_BELOW}**" in PAGE
    assert f"speaker confidence below {UNCERTAIN_BELOW}" in (ROOT / "docs" / "tables.md").read_text()


def test_what_a_words_speaker_is_sure_by_is_said():
    assert f"{AttributeOptions().seam_ms} ms\n   (`attribution.seam_ms`)" in PAGE
    assert (OUTSIDE, "four fifths" in PAGE) == (4 / 5, True)
    assert (FOLLOWED, "at least a half" in PAGE) == (1 / 2, True)


@pytest.mark.parametrize(("kind", "column"), [("transcriber", "words.confidence"), ("diarizer", "turns.confidence")])
def test_every_engines_number_is_explained(kind, column):
    section = PAGE.partition(f"`{column}`\n")[2].partition("\n## ")[0]
    assert names(kind)
    for name in names(kind):
        assert f"| `{name}` |" in section, name
