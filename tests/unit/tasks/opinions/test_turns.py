"""Turns of two diarizers: under the best names for each other's voices, for how long they hear other people."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from tasks.opinions.records import Disagreement
from tasks.opinions.turns import LabelledTurn, compare_turns

LABELS = ("A", "B", "C")


def turn(start_ms, end_ms, label, chunk_index=0, channel=0):
    return LabelledTurn(channel, chunk_index, start_ms, end_ms, label)


@st.composite
def diarizations(draw):
    """Turns of one chunk, few and short enough to look at every millisecond."""
    found = draw(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 15), st.sampled_from(LABELS)), max_size=6))
    return [turn(start, start + length, label) for start, length, label in found]


def heard(turns, at_ms):
    return {one.label for one in turns if one.start_ms <= at_ms < one.end_ms}


def by_definition(one, other):
    moments = [(heard(one, ms), heard(other, ms)) for ms in range(45)]
    n_compared = sum(max(len(left), len(right)) for left, right in moments)
    n_same = max(
        sum(len({dict(zip(names, LABELS, strict=True))[label] for label in right} & left) for left, right in moments)
        for names in permutations(LABELS)
    )
    return n_compared, n_compared - n_same


@given(diarizations(), diarizations())
def test_the_best_names_are_found(one, other):
    found = compare_turns(one, other)
    assert (found.n_compared, found.n_differing) == by_definition(one, other)


@given(diarizations(), diarizations())
def test_counts_are_symmetric(one, other):
    there, back = compare_turns(one, other), compare_turns(other, one)
    assert (there.n_compared, there.n_differing) == (back.n_compared, back.n_differing)


def test_other_names_are_no_difference():
    one = [turn(0, 1_000, "A"), turn(1_000, 2_000, "B"), turn(5_000, 6_000, "A", chunk_index=1)]
    other = [turn(0, 1_000, "x"), turn(1_000, 2_000, "y"), turn(5_000, 6_000, "y", chunk_index=1)]
    found = compare_turns(one, other)
    assert (found.n_compared, found.n_differing, found.disagreements) == (3_000, 0, ())


def test_where_they_differ_in_the_names_of_the_first():
    one = [turn(0, 4_000, "A"), turn(4_000, 5_000, "B")]
    other = [turn(0, 3_000, "x"), turn(3_000, 4_000, "z"), turn(4_000, 4_800, "y"), turn(4_800, 5_000, "x")]
    found = compare_turns(one, other)
    assert (found.n_compared, found.n_differing) == (5_000, 1_200)
    assert found.disagreements == (Disagreement(start_ms=3_000, end_ms=4_000, one_text="A", other_text="(z)"),), (
        "what lasts 200 ms is where a turn ends"
    )


def test_speech_that_only_one_hears_and_overlap():
    one = [turn(0, 2_000, "A"), turn(1_000, 2_000, "B"), turn(3_000, 4_000, "A")]
    found = compare_turns(one, [turn(0, 2_000, "x")])
    assert (found.n_compared, found.n_differing) == (4_000, 2_000)
    assert [(d.start_ms, d.one_text, d.other_text) for d in found.disagreements] == [
        (1_000, "A, B", "A"),
        (3_000, "A", ""),
    ]


def test_channels_are_apart():
    one = [turn(0, 1_000, "A"), turn(0, 1_000, "A", channel=1)]
    assert compare_turns(one, [turn(0, 1_000, "A")]).n_differing == 1_000


def test_nothing():
    found = compare_turns([], [])
    assert (found.n_compared, found.n_differing, found.disagreements) == (0, 0, ())
