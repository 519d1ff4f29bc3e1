"""Words of two transcribers: as few edits as there can be, from pause to pause, and where they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation.normalise import plain_words
from tasks.opinions.edits import aligned
from tasks.opinions.records import Disagreement
from tasks.opinions.words import TimedWords, compare_words

sequences = st.lists(st.integers(0, 3), max_size=12).map(lambda items: np.array(items, dtype=np.int64))


def fewest_edits(one, other) -> int:
    """Levenshtein's distance by its definition."""
    before = list(range(len(other) + 1))
    for row, item in enumerate(one, start=1):
        now = [row]
        for column, against in enumerate(other, start=1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (item != against)))
        before = now
    return before[-1]


@given(sequences, sequences)
def test_an_alignment_has_everything_in_order_and_the_fewest_edits(one, other):
    pairs = aligned(one, other)
    assert [i for i, _ in pairs if i is not None] == list(range(len(one)))
    assert [j for _, j in pairs if j is not None] == list(range(len(other)))
    n_edits = sum(i is None or j is None or one[i] != other[j] for i, j in pairs)
    assert n_edits == fewest_edits(one, other)


def said(*timed: tuple[int, str], lasting_ms: int = 200) -> TimedWords:
    return TimedWords(
        start_ms=[start for start, _ in timed],
        end_ms=[start + lasting_ms for start, _ in timed],
        text=[text for _, text in timed],
    )


def line(text: str, start_ms: int = 0) -> TimedWords:
    return said(*((start_ms + 300 * n, word) for n, word in enumerate(text.split())))


@st.composite
def transcripts(draw):
    gaps = draw(st.lists(st.sampled_from([0, 100, 450, 550, 5_000]), max_size=30))
    starts = np.cumsum([0, *gaps])[: len(gaps)].tolist()
    lasting = draw(st.lists(st.integers(0, 400), min_size=len(gaps), max_size=len(gaps)))
    text = draw(st.lists(st.sampled_from(["a", "A,", "b", "c d", "…", ""]), min_size=len(gaps), max_size=len(gaps)))
    return TimedWords(start_ms=starts, end_ms=[s + n for s, n in zip(starts, lasting, strict=True)], text=text)


@given(transcripts(), transcripts())
def test_counts_are_symmetric_and_never_more_than_what_is_compared(one, other):
    there, back = compare_words(one, other), compare_words(other, one)
    assert (there.n_compared, there.n_differing) == (back.n_compared, back.n_differing)
    parts = [sum(len(plain_words(text)) for text in side.text) for side in (one, other)]
    assert max(parts) <= there.n_compared <= sum(parts)
    assert abs(parts[0] - parts[1]) <= there.n_differing <= there.n_compared
    assert (there.n_differing == 0) == (there.disagreements == ())
    starts = [one.start_ms for one in there.disagreements]
    assert starts == sorted(starts)


@given(transcripts())
def test_nobody_differs_from_himself(words):
    assert compare_words(words, words).n_differing == 0


def test_where_they_differ_and_what_each_has():
    one = line("We met on a Tuesday, at noon.")
    other = line("we met on the Tuesday at new moon")
    found = compare_words(one, other)
    assert (found.n_compared, found.n_differing) == (8, 3)
    assert found.disagreements == (
        Disagreement(start_ms=900, end_ms=1_100, one_text="a", other_text="the"),
        Disagreement(start_ms=1_800, end_ms=2_300, one_text="noon.", other_text="new moon"),
    )


def test_a_word_said_elsewhere_is_another_word():
    found = compare_words(said((0, "yes")), said((60_000, "yes")))
    assert (found.n_compared, found.n_differing) == (2, 2)
    assert [(d.one_text, d.other_text) for d in found.disagreements] == [("yes", ""), ("", "yes")]


def test_case_marks_and_hyphens_do_not_count():
    assert compare_words(line("Well-known, ISN’T it?"), line("well known isn't it")).n_differing == 0


def test_languages_without_blanks_are_compared_by_letters():
    found = compare_words(said((0, "今天天气")), said((0, "今天"), (100, "天汽。")))
    assert (found.n_compared, found.n_differing) == (4, 1)


@pytest.mark.parametrize("gap_ms", [0, 100])
def test_speech_without_pauses_is_cut_all_the_same(gap_ms, monkeypatch):
    sizes = []

    def watched(one, other):
        sizes.append(len(one) * len(other))
        return aligned(one, other)

    monkeypatch.setattr("tasks.opinions.words.aligned", watched)
    text = [f"w{n * 7919 % 300}" for n in range(3_000)]
    one = said(*((n * (200 + gap_ms), word) for n, word in enumerate(text)))
    other = said(*((n * (200 + gap_ms), "x" if n % 100 == 50 else word) for n, word in enumerate(text)))
    found = compare_words(one, other)
    assert max(sizes) <= 250_000
    assert (found.n_compared, found.n_differing, len(found.disagreements)) == (3_000, 30, 30)


def test_words_without_length_at_one_moment_do_not_stop_it():
    loop = said(*[(1_000, "la")] * 2_000, lasting_ms=0)
    assert compare_words(loop, said((1_000, "la"))).n_differing >= 1_999
