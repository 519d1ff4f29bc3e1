"""Words side by side: by hand, and as few edits as MeetEval's time-constrained distance."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation.alignment import TimedWords, align


def timed(*words):
    """Return words given as number, start and end."""
    numbers, starts, ends = zip(*words, strict=True) if words else ((), (), ())
    return TimedWords(
        words=np.array(numbers, np.int64), starts=np.array(starts, np.float64), ends=np.array(ends, np.float64)
    )


def pairs(reference, found):
    own, other = align(reference, found)
    return list(zip(own.tolist(), other.tolist(), strict=True))


def test_equal_words_and_substitutions_stand_against_each_other():
    reference = timed((7, 0, 1), (8, 1, 2), (9, 2, 3))
    assert pairs(reference, timed((7, 0, 3), (5, 0, 3), (9, 0, 3))) == [(0, 0), (1, 1), (2, 2)]
    assert pairs(reference, timed((9, 0, 3))) == [(2, 0)]
    assert pairs(reference, timed()) == pairs(timed(), reference) == []


def test_of_as_few_edits_the_most_equal_words_and_then_the_nearest_stand_together():
    assert pairs(timed((7, 0, 1), (8, 1, 2)), timed((9, 0, 3), (7, 0, 4))) == [(0, 1)]
    reference = timed((7, 0, 1), (8, 4, 5))
    assert pairs(reference, timed((9, -4, 6))) == [(0, 0)]
    assert pairs(reference, timed((9, -1, 9))) == [(1, 0)]


def test_what_shares_no_time_stands_alone():
    assert pairs(timed((7, 0, 1)), timed((7, 1, 2))) == []
    assert pairs(timed((7, 0, 1), (7, 50, 51)), timed((7, 45, 55), (7, 90, 99))) == [(1, 0)]


words = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 30), st.integers(0, 6)), max_size=12)


@given(words, words, st.integers(1, 8))
def test_as_few_edits_as_meeteval_counts(reference, found, collar):
    from meeteval.wer.matching.cy_levenshtein import time_constrained_levenshtein_distance

    ours = sorted(((word, start, start + length) for word, start, length in reference), key=lambda word: word[1])
    theirs = sorted(((word, at - collar, at + collar) for word, at, _ in found), key=lambda word: word[1])
    aligned = pairs(timed(*ours), timed(*theirs))
    assert all(one < next_one and other < next_other for (one, other), (next_one, next_other) in pairwise(aligned))
    assert all(ours[one][1] < theirs[other][2] and theirs[other][1] < ours[one][2] for one, other in aligned)
    wrong = sum(ours[one][0] != theirs[other][0] for one, other in aligned)
    sides = [[word for word, _, _ in side] for side in (ours, theirs)]
    times = [[(float(start), float(end)) for _, start, end in side] for side in (ours, theirs)]
    distance = time_constrained_levenshtein_distance(*sides, *times, prune=False)
    assert len(ours) + len(theirs) - 2 * len(aligned) + wrong == distance
