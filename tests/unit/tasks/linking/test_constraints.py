from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storage.decisions import Decision
from tasks.linking.constraints import DecidedRows, constrain

AT = datetime(2026, 1, 2, tzinfo=UTC)


def decided(number, kind, ours=(), theirs=()):
    decision = Decision(
        decision_id=f"dec_{number}", at=AT + timedelta(days=number), kind=kind, speaker_id="spk_a", other_id="spk_b"
    )
    return DecidedRows(decision=decision, ours=np.array(ours, np.int64), theirs=np.array(theirs, np.int64))


def rows_of(constraints):
    together = [group.tolist() for group in constraints.together]
    apart = [(ours.tolist(), theirs.tolist()) for ours, theirs in constraints.apart]
    return together, apart, constraints.forgotten.tolist()


def test_no_decision_constrains_nothing():
    constraints, set_aside = constrain([])
    assert rows_of(constraints) == ([], [], [])
    assert set_aside == ()


def test_merges_that_share_a_voice_are_one_person():
    constraints, set_aside = constrain([decided(0, "merge", [4, 1], [2]), decided(1, "merge", [2], [7])])
    assert rows_of(constraints) == ([[1, 2, 4, 7]], [], [])
    assert set_aside == ()


def test_those_taken_out_are_one_person_and_those_who_stay_are_not_forced_to_be():
    constraints, _ = constrain([decided(0, "split", [0, 1], [2, 3])])
    assert rows_of(constraints) == ([[2, 3]], [([0, 1], [2, 3])], [])


def test_forgotten_rows_are_in_nothing_else():
    constraints, _ = constrain([decided(0, "merge", [0], [1, 2]), decided(1, "forbid", [1], [5])], np.array([1]))
    assert rows_of(constraints) == ([[0, 2]], [], [1])


def test_the_later_of_two_that_contradict_each_other_is_set_aside():
    merge, forbid = decided(0, "merge", [0], [1]), decided(1, "forbid", [1], [0, 5])
    constraints, (aside,) = constrain([merge, forbid])
    assert rows_of(constraints) == ([[0, 1]], [], [])
    assert (aside.decision, aside.against) == (forbid.decision, merge.decision)
    assert aside.reason == (
        "the merge of spk_a and spk_b (dec_0, 2026-01-02) says that some of these voices are one person"
    )


def test_the_reason_is_the_decision_that_closed_the_chain():
    chain = [decided(0, "merge", [0], [1]), decided(1, "merge", [2], [3]), decided(2, "merge", [1], [2])]
    _, (aside,) = constrain([*chain, decided(3, "forbid", [0], [3])])
    assert aside.against == chain[2].decision


def test_a_merge_of_people_who_are_different_by_others_is_set_aside():
    forbid = decided(0, "forbid", [0], [9])
    _, (aside,) = constrain([forbid, decided(1, "merge", [0], [1]), decided(2, "merge", [9], [1])])
    assert aside.against == forbid.decision
    assert "different people" in aside.reason


def test_a_decision_whose_sides_became_one_voice_is_set_aside():
    _, (aside,) = constrain([decided(0, "forbid", [3], [3, 4])])
    assert aside.against is None
    assert "one local speaker" in aside.reason


ROWS = st.lists(st.integers(0, 6), max_size=4)
DECISIONS = st.lists(st.tuples(st.sampled_from(["merge", "split", "forbid", "forget", "enroll"]), ROWS, ROWS))


def persons(groups):
    """Return the person of each row, by brute force."""
    person = {row: {row} for row in range(7)}
    for group in groups:
        joined = set().union(*(person[row] for row in group)) if len(group) else set()
        for row in joined:
            person[row] = joined
    return person


def holds(together, apart):
    person = persons(together)
    return all(b not in person[a] for ours, theirs in apart for a in ours for b in theirs)


def claims(one, forgotten):
    ours, theirs = ([row for row in rows.tolist() if row not in forgotten] for rows in (one.ours, one.theirs))
    kind = one.decision.kind
    together = [ours + theirs] if kind == "merge" else [theirs] if kind == "split" else []
    return together, [(ours, theirs)] if kind in {"split", "forbid"} else []


@given(DECISIONS, st.sets(st.integers(0, 6), max_size=2))
def test_what_counts_holds_together_and_what_is_set_aside_does_not(drawn, forgotten):
    decisions = [decided(number, *one) for number, one in enumerate(drawn)]
    constraints, set_aside = constrain(decisions, np.array(sorted(forgotten), np.int64))
    refused = {one.decision.decision_id for one in set_aside}
    together, apart = [], []
    for one in decisions:
        more_together, more_apart = claims(one, forgotten)
        if one.decision.decision_id in refused:
            assert not holds(together + more_together, apart + more_apart)
        else:
            together, apart = together + more_together, apart + more_apart
            assert holds(together, apart)
    expected = {frozenset(rows) for rows in persons(together).values() if len(rows) > 1}
    assert {frozenset(group.tolist()) for group in constraints.together} == expected
    assert len(constraints.together) == len(expected)
    assert holds(constraints.together, [(a.tolist(), b.tolist()) for a, b in constraints.apart])
    assert constraints.forgotten.tolist() == sorted(forgotten)


@given(DECISIONS)
def test_every_reason_names_an_earlier_decision_that_counts(drawn):
    decisions = [decided(number, *one) for number, one in enumerate(drawn)]
    _, set_aside = constrain(decisions)
    refused = {one.decision.decision_id for one in set_aside}
    for one in set_aside:
        if one.against is not None:
            assert one.against.at < one.decision.at
            assert one.against.decision_id not in refused
