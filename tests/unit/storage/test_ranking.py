"""The best come first: as BM25 says, as a look at every utterance says, however few are wanted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.ranking import Postings, Totals, first_of, rank

WORDS = "abcd"
utterances = st.lists(st.text(WORDS, max_size=6), min_size=1, max_size=12)


def postings(texts, word, unfit=()):
    """Three utterances are in a part; they are numbered from the end. The unfit ones are given by their rows."""
    rows = [row for row, text in enumerate(texts) if word in text]
    columns = {
        "number": [len(texts) - row for row in rows],
        "part": [row // 3 for row in rows],
        "row": [row % 3 for row in rows],
        "n": [texts[row].count(word) for row in rows],
        "n_words": [len(texts[row]) for row in rows],
    }
    arrays = {name: np.array(column, np.int64) for name, column in columns.items()}
    return Postings(**arrays, may_fit=np.array([row not in unfit for row in rows], bool))


def expected(texts, wanted, excluded, unfit):
    mean = max(sum(map(len, texts)) / len(texts), 1)
    found = []
    for row, text in enumerate(texts):
        is_fit = not any(row in rows for rows in unfit)
        if is_fit and all(word in text for word in wanted) and not any(word in text for word in excluded):
            score = 0.0
            for word in wanted:
                n_holding = sum(word in one for one in texts)
                idf = math.log(1 + (len(texts) - n_holding + 0.5) / (n_holding + 0.5))
                n = text.count(word)
                score += idf * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * len(text) / mean))
            found.append((-round(score, 6), row))
    return [(len(texts) - row, -score) for score, row in sorted(found)]


@given(
    utterances,
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.lists(st.sampled_from(WORDS), max_size=1),
    st.lists(st.sets(st.integers(0, 11)), min_size=3, max_size=3),
    st.one_of(st.none(), st.integers(0, 5)),
)
def test_ranking_is_that_of_a_look_at_every_utterance(texts, wanted, excluded, unfit, at_most):
    totals = Totals(n_utterances=len(texts), n_words=sum(map(len, texts)))
    words = [postings(texts, word, rows) for word, rows in zip(wanted, unfit, strict=False)]
    ranked = rank(words, [postings(texts, one) for one in excluded], totals, at_most)
    found = expected(texts, wanted, excluded, unfit[: len(wanted)])[:at_most]
    assert ranked.score.tolist() == pytest.approx([score for _, score in found], abs=2e-6)
    if len({score for _, score in found}) == 1:
        assert ranked.number.tolist() == [number for number, _ in found]


def test_nothing_wanted_is_nothing_found():
    totals = Totals(n_utterances=1, n_words=1)
    assert len(rank([], [postings(["a"], "a")], totals, None).number) == 0
    assert len(rank([postings(["a"], "a"), postings(["a"], "b")], [], totals, None).number) == 0


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=20, unique=False),
    st.one_of(st.none(), st.integers(0, 25)),
)
def test_the_first_rows_are_those_of_a_sort(rows, at_most):
    keys = [np.array([row[place] for row in rows], np.int64) for place in range(2)]
    keys.append(np.arange(len(rows))[::-1].copy())
    found = first_of(keys, at_most).tolist()
    assert found == np.lexsort(keys[::-1])[:at_most].tolist()
