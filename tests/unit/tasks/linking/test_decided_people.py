"""What people decided holds in whatever linking makes of it."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storage.decisions import Decision
from tasks.linking.constraints import Constraints, DecidedRows, constrain
from tests.voices import archive, heard, linked, partition, row

NOBODY = np.empty(0, np.int64)


def rows_of(*numbers):
    return np.array(numbers, np.int64)


def constraints(*, together=(), apart=(), forgotten=()):
    return Constraints(
        together=tuple(rows_of(*group) for group in together),
        apart=tuple((rows_of(*ours), rows_of(*theirs)) for ours, theirs in apart),
        forgotten=rows_of(*forgotten),
    )


def speakers_of(rows, **decided):
    return linked(rows, constraints=constraints(**decided))[1].speaker.tolist()


def monologues(*people, **options):
    return [row(f"r{number}", "A", heard(who, room=number), **options) for number, who in enumerate(people)]


@st.composite
def decided_archives(draw):
    """An archive with some voices of little or no speech, and decisions about any of its local speakers."""
    rows, _ = archive(draw(st.integers(0, 10_000)), n_recordings=4)
    rows += [row("short", "A", heard(0, room=71), ms=700), row("mute", "A", None), row("mute", "B", None)]
    count = len(linked(rows)[0])
    some = st.lists(st.integers(0, count - 1), max_size=4, unique=True).map(lambda chosen: rows_of(*sorted(chosen)))
    kinds = st.sampled_from(["merge", "split", "forbid"])
    drawn = draw(st.lists(st.tuples(kinds, some, some), min_size=1, max_size=5))
    decisions = [
        DecidedRows(
            decision=Decision(
                decision_id=f"dec_{number}",
                at=datetime(2026, 1, 2, tzinfo=UTC) + timedelta(days=number),
                kind=kind,
                speaker_id="spk_a",
            ),
            ours=ours,
            theirs=theirs,
        )
        for number, (kind, ours, theirs) in enumerate(drawn)
    ]
    return rows, constrain(decisions, draw(some))[0]


@given(decided_archives())
def test_every_decision_holds_whatever_the_voices_say(drawn):
    rows, decided = drawn
    links = linked(rows, constraints=decided)[1]
    for group in decided.together:
        assert len(set(links.speaker[group].tolist())) == 1
    for ours, theirs in decided.apart:
        assert not set(links.speaker[ours].tolist()) & set(links.speaker[theirs].tolist()) - {-1}
    assert all(links.speaker[at] == -1 and links.reason[at] == "forgotten" for at in decided.forgotten)
    assert links.reason.count("forgotten") == len(decided.forgotten)


@given(decided_archives())
def test_what_was_found_anyway_may_as_well_be_decided(drawn):
    rows, _ = drawn
    _, links, _ = linked(rows)
    people = [np.flatnonzero(links.speaker == who) for who in range(links.speaker.max() + 1)]
    said = constraints(
        together=[who for who in people if len(who) > 1],
        apart=[(one, other) for at, one in enumerate(people) for other in people[:at]],
    )
    again = linked(rows, constraints=said)[1]
    assert partition(again.speaker, range(len(again.speaker))) == partition(links.speaker, range(len(links.speaker)))


def test_several_prototypes_of_one_person_keep_their_own_voices():
    rows = monologues(1, 1, 1, 2, 2, 2, 3)
    links = linked(rows, constraints=constraints(together=[(0, 3)]))[1]
    assert links.speaker.tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert len(links.found.clusters.alive()) == 3
    assert links.certainty.confidence[:6].min() > 0.5


def test_chains_of_merges_reach_everybody():
    assert speakers_of(monologues(1, 2, 3, 4), together=[(0, 1, 2)]) == [0, 0, 0, 1]


def test_one_voice_may_be_said_to_be_two_people():
    assert speakers_of(monologues(1, 1, 1, 1), apart=[((0,), (1, 2, 3))]) == [0, 1, 1, 1]


def test_those_who_were_not_spoken_of_go_to_the_nearer_side():
    rows = [row("r0", "A", heard(1)), row("r1", "A", heard(1, take=1, noise=0.9))]
    rows += [row("r2", "A", heard(1)), row("r3", "A", heard(1, take=1, noise=0.9))]
    assert speakers_of(rows, apart=[((0,), (1,))]) == [0, 1, 0, 1]


def test_a_merge_needs_no_fingerprint_and_no_length():
    rows = [row("r0", "A", heard(1)), row("r1", "A", None), row("r2", "A", heard(2), ms=300)]
    links = linked(rows, constraints=constraints(together=[(0, 1)]))[1]
    assert links.speaker.tolist() == [0, 0, -1]
    assert links.basis == ("clustered", "decided", None)
    assert np.isnan(links.certainty.confidence[1])
    assert speakers_of(rows, together=[(0, 2)]) == [0, -1, 0]


def test_who_is_one_with_a_voice_that_is_not_heard_is_nobody_whom_that_is_not():
    rows = [row("r0", "A", heard(1)), row("r1", "A", None), row("r2", "A", heard(1))]
    assert speakers_of(rows, together=[(0, 1)], apart=[((1,), (2,))]) == [0, 0, 1]


def test_the_forgotten_help_nobody_to_be_found():
    rows = monologues(1, 1, 2)
    links = linked(rows, constraints=constraints(forgotten=[0, 1]))[1]
    assert links.speaker.tolist() == [-1, -1, 0]
    assert links.reason == ("forgotten", "forgotten", None)
    assert len(links.found.clusters.part_of) == 1


def test_where_everybody_is_forgotten_nobody_is_left():
    links = linked(monologues(1, 1), constraints=constraints(forgotten=[0, 1]))[1]
    assert (links.speaker.tolist(), links.found) == ([-1, -1], None)
