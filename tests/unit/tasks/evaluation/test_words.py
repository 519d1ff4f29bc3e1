"""Words against words: by hand, by what must hold, and against MeetEval's own command line."""

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.formats import FORMATS
from storage.formats.document import Document, DocumentUtterance
from tasks.evaluation.counts import SpeakerErrors, WordEdits, WordErrors
from tasks.evaluation.words import (
    COLLAR_S,
    found_words,
    reference_words,
    speaker_errors,
    speaker_word_errors,
    timed_speaker_word_errors,
    word_errors,
)


def said(*spoken):
    """Return utterances of a second each, given speakers and words."""
    return [
        DocumentUtterance(start_ms=1000 * index, end_ms=1000 * index + 900, speaker=speaker, text=text)
        for index, (speaker, text) in enumerate(spoken)
    ]


def counted(count, truth, found):
    return count(reference_words(truth), found_words(found))


def edits(insertions=0, deletions=0, substitutions=0, n_words=0):
    return WordEdits(insertions=insertions, deletions=deletions, substitutions=substitutions, n_words=n_words)


# ---- by hand


def test_segments_are_normalised_and_by_time():
    mixed = [*said(("ann", "Two."), ("bob", "…"))[::-1], *said((None, "One!"))]
    assert [(one["speaker"], one["words"], one["start_time"]) for one in reference_words(mixed).segments] == [
        ("ann", "two", 0.0),
        ("<NA>", "one", 0.0),
    ]


def test_word_errors_are_counted_as_edits():
    assert counted(word_errors, said(("a", "a b c d")), said(("x", "a x d e"))).errors == 3
    assert counted(word_errors, said(("a", "a b")), []) == edits(deletions=2, n_words=2)
    assert counted(word_errors, [], said(("x", "a b"))) == edits(insertions=2)
    assert counted(word_errors, [], []) == edits()


def test_words_of_the_wrong_speaker_are_wrong_but_names_do_not_matter():
    truth = said(("ann", "a b"), ("bob", "c"))
    assert counted(speaker_word_errors, truth, said(("S1", "a b"), ("S0", "c"))).errors == 0
    assert counted(speaker_word_errors, truth, said(("S1", "a"), ("S0", "b c"))).errors == 2
    assert counted(speaker_word_errors, truth, []) == edits(deletions=3, n_words=3)


def test_what_is_said_at_another_time_does_not_match():
    truth = [DocumentUtterance(start_ms=0, end_ms=1000, speaker="ann", text="yes")]
    late = [DocumentUtterance(start_ms=60_000, end_ms=61_000, speaker="S0", text="yes")]
    assert counted(speaker_word_errors, truth, late).errors == 0
    assert counted(timed_speaker_word_errors, truth, late) == WordErrors(errors=2, n_words=1)
    assert counted(speaker_errors, truth, late) == SpeakerErrors()


def test_speaker_errors_by_hand():
    truth = said(("ann", "a b c"), ("bob", "d e"), ("ann", "f"))
    found = said(("S0", "a x c"), ("S1", "d"), (None, "e"), ("S1", "f"))
    # six words align, one of them wrongly recognised; "e" has no speaker and "f" another
    assert counted(speaker_errors, truth, found) == SpeakerErrors(wrong=2, n_aligned=6)


def test_nobody_is_no_speaker_that_could_be_right():
    assert counted(speaker_errors, said(("ann", "a b")), said((None, "a b"))) == SpeakerErrors(wrong=2, n_aligned=2)


# ---- by what must hold

talks = st.lists(
    st.tuples(st.sampled_from("AB"), st.lists(st.sampled_from(["so", "oh", "no"]), min_size=1).map(" ".join)),
    min_size=1,
    max_size=5,
).map(lambda spoken: said(*spoken))


@settings(max_examples=30)
@given(talks)
def test_what_is_right_costs_nothing_under_any_names(truth):
    renamed = said(*(({"A": "S1", "B": "S0"}[one.speaker], one.text) for one in truth))
    for count in (word_errors, speaker_word_errors, timed_speaker_word_errors):
        assert counted(count, truth, renamed).errors == 0
    assert counted(speaker_errors, truth, renamed).wrong == 0


@settings(max_examples=30)
@given(talks, talks)
def test_each_figure_is_stricter_than_the_one_before(truth, found):
    counts = (word_errors, speaker_word_errors, timed_speaker_word_errors)
    plain, spoken, timed = (counted(count, truth, found) for count in counts)
    assert spoken.errors <= timed.errors
    assert len({one.n_words for one in (plain, spoken, timed)}) == 1
    assert spoken.deletions - spoken.insertions == plain.deletions - plain.insertions


# ---- MeetEval's own command line

_TRUTH = {
    "calls_one": said(("ann", "good morning is this the office"), ("bob", "it is"), ("ann", "oh good then wait")),
    "calls_two": said(("bob", "nobody said that"), ("cat", "i did and i say it again"), ("bob", "well")),
}
_FOUND = {
    "calls_one": said(
        ("S0", "good morning is it the office"), ("S1", "it is"), ("S1", "oh"), ("S0", "then wait a bit")
    ),
    "calls_two": said(("S0", "nobody said that"), ("S0", "i did and"), ("S1", "i say it"), ("S2", "swell")),
}


def one_line(recordings):
    """Return everything as if one person had said it at once, which is all that the plain WER takes."""
    return {name: said(("x", " ".join(one.text for one in spoken))) for name, spoken in recordings.items()}


def meeteval(tmp_path, metric, suffix, *options):
    """Return MeetEval's counts per recording, from files that an export would write."""
    form = next(one for one in FORMATS.values() if one.suffix == suffix)
    files = []
    shaped = one_line if metric == "wer" else dict
    for side, recordings in (("ref", shaped(_TRUTH)), ("hyp", shaped(_FOUND))):
        for name, spoken in recordings.items():
            file = tmp_path / f"{side} {name}{suffix}"
            file.write_text(form.render(Document(name=name, utterances=tuple(spoken))))
            files.append(str(file))
    out = tmp_path / f"{metric}.json"
    outs = ["--per-reco-out", str(out), "--average-out", str(tmp_path / "average.json")]
    command = [sys.executable, "-m", "meeteval.wer", metric, "-r", *files[:2], "-h", *files[2:], *options, *outs]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


@pytest.mark.parametrize(
    ("metric", "count", "suffix", "options"),
    [
        ("wer", word_errors, ".stm", []),
        ("cpwer", speaker_word_errors, ".seglst.json", []),
        ("tcpwer", timed_speaker_word_errors, ".seglst.json", ["--collar", str(round(COLLAR_S))]),
    ],
)
def test_as_meeteval_counts_on_the_same_files(tmp_path, metric, count, suffix, options):
    told = meeteval(tmp_path, metric, suffix, *options)
    assert told.keys() == _TRUTH.keys()
    for name, theirs in told.items():
        ours = counted(count, _TRUTH[name], _FOUND[name])
        assert (ours.errors, ours.n_words) == (theirs["errors"], theirs["length"])
        assert theirs["errors"] > 0
