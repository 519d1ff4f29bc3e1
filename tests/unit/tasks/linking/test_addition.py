"""Tables of links: those of a whole lake, and those of a lake that is added to."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.enrolled import EnrolledVoice
from tasks.linking.constraints import Constraints
from tasks.linking.speakers import LinkOptions
from tests.made_up import SMALL, Published, fingerprints, link_addition, link_whole, shuffled, speaker_of
from tests.voices import agreement, archive, heard, row

SEEDS = st.integers(0, 10_000)


def monologues(*people, name="r"):
    return [row(f"{name}{number}", "A", heard(who, room=number)) for number, who in enumerate(people)]


def tables_of(outcome):
    named = ("local_speakers", "links", "neighbours", "scores")
    return {name: getattr(outcome, name).to_pylist() for name in named} | {
        name: table.to_pylist() for name, table in outcome.memory.items()
    }


def published(rows, **options):
    return Published().then(link_whole(fingerprints(rows), **options))


@given(seed=SEEDS, order=SEEDS)
def test_labels_may_come_in_any_order_and_in_any_shards(seed, order):
    labels = fingerprints(archive(seed)[0])
    one, other = link_whole(labels), link_whole(shuffled(labels, order))
    assert repr(tables_of(one)) == repr(tables_of(other))
    assert one.events == other.events


@given(seed=SEEDS, order=SEEDS)
def test_what_is_added_may_come_in_any_order(seed, order):
    rows = archive(seed, n_recordings=8)[0]
    before = published([one for one in rows if one[0] < "r5"])
    labels = fingerprints([one for one in rows if one[0] >= "r5"])
    one, other = link_addition(labels, before), link_addition(shuffled(labels, order), before)
    assert repr(tables_of(one)) == repr(tables_of(other))
    assert one.events == other.events


@given(seed=SEEDS, data=st.data())
def test_adding_night_by_night_ends_with_the_people_of_one_whole_link(seed, data):
    rows, people = archive(seed, n_recordings=9, n_people=6)
    names = data.draw(st.permutations([f"r{number}" for number in range(9)]))
    now = published([one for one in rows if one[0] in names[:5]])
    for night in (names[5:7], names[7:8], names[8:]):
        now = now.then(link_addition(fingerprints([one for one in rows if one[0] in night]), now))
    whole = speaker_of(link_whole(fingerprints(rows)))
    assert agreement([speaker_of(now.outcome)[key] for key in whole], list(whole.values())) == 1
    assert set(now.outcome.memory["voices"]["speaker_id"].to_pylist()) == set(speaker_of(now.outcome).values())
    assert len(now.speakers) == len(set(people))


def test_ids_stay_when_recordings_are_added_and_when_everything_is_linked_again():
    before = published(monologues(1, 2, 1, 2))
    more = [row("z0", "A", heard(1, room=80)), row("z0", "B", heard(3, room=80))]
    added = link_addition(fingerprints(more), before)
    after = before.then(added)
    again = link_whole(fingerprints(monologues(1, 2, 1, 2) + more), after)
    assert speaker_of(again) == speaker_of(added)
    assert speaker_of(added).items() > speaker_of(before.outcome).items()
    assert {event.change for event in added.events} == {"grown", "new"}
    assert again.events == ()


def test_nothing_new_leaves_everything_as_it_was():
    before = published(monologues(1, 2, 1, 2))
    added = link_addition(fingerprints([]), before)
    assert repr(tables_of(added)) == repr(tables_of(before.outcome))
    assert added.events == ()


def mixed(share, take):
    one, other = heard(1, noise=0.0, room_size=0.0), heard(2, noise=0.0, room_size=0.0)
    vector = share * one + (1 - share) * other + 0.1 * heard(50, take=take)
    return vector / np.linalg.norm(vector)


def two_who_become_one():
    """A lake in which two are not known to be one person, and recordings that tell."""
    before = [row("a0", "A", mixed(0.78, 1)), row("a1", "A", mixed(0.22, 2))]
    before += monologues(*[3, 4, 5, 6] * 2)
    return before, [row(f"z{take}", "A", mixed(0.5, 10 + take)) for take in range(3)]


def test_two_known_people_who_become_one_go_by_the_older_id_everywhere():
    rows, more = two_who_become_one()
    before = published(rows[1:]).then(link_whole(fingerprints(rows), published(rows[1:])))
    older, younger = (speaker_of(before.outcome)[name, "S0"] for name in ("a1", "a0"))
    added = link_addition(fingerprints(more), before)
    ids = speaker_of(added)
    assert {ids[name, "S0"] for name in ("a0", "a1", "z0", "z1", "z2")} == {older}
    assert [(e.speaker_id, e.other_id) for e in added.events if e.change == "merged_into"] == [(younger, older)]
    named = {*added.neighbours["speaker_id"].to_pylist(), *added.neighbours["other_id"].to_pylist()}
    assert younger not in named | {*added.memory["voices"]["speaker_id"].to_pylist()}
    statuses = {
        one["speaker_id"]: (one["status"], one["merged_into"]) for one in before.then(added).speakers.to_pylist()
    }
    assert statuses[younger] == ("merged", older)
    assert statuses[older] == ("person", None)


def test_several_models_are_linked_each_for_itself():
    rows = monologues(1, 2, 1)
    other = fingerprints(monologues(1, 2, name="q"), model="another")
    both = link_whole(pa.concat_tables([fingerprints(rows), other]))
    alone = link_whole(fingerprints(rows))
    assert {key: one for key, one in speaker_of(both).items() if key[0] < "r"} == speaker_of(link_whole(other))
    assert speaker_of(both).items() > speaker_of(alone).items()
    assert sorted(both.memory["spaces"]["model"].to_pylist()) == ["another", "made-up"]
    before = Published().then(both)
    added = link_addition(fingerprints(monologues(2, name="z")), before)
    assert speaker_of(added)["z0", "S0"] == speaker_of(alone)["r1", "S0"]
    assert sorted(added.memory["spaces"]["model"].to_pylist()) == ["another", "made-up"]
    assert len(added.memory["voices"]) == 4


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"options": replace(SMALL, whole_below=10_000)}, "small lake"),
        ({"options": replace(SMALL, most_growth=0.1)}, "much is new"),
        ({"basis_before": "other", "basis": "other"}, "other options or decisions"),
    ],
)
def test_what_asks_for_a_whole_link(changes, reason):
    assert link_addition(fingerprints(monologues(1, name="z")), published(monologues(1, 2, 1)), **changes) is None, (
        reason
    )


def test_another_model_and_a_lake_without_memory_ask_for_a_whole_link():
    before = published(monologues(1, 2, 1))
    assert link_addition(fingerprints(monologues(1, name="z"), model="another"), before) is None
    assert link_addition(fingerprints(monologues(1, name="z")), Published()) is None


def test_growth_is_counted_since_the_last_whole_link():
    now, options = published(monologues(1, 2, 1, 2, 1, 2)), replace(SMALL, most_growth=0.5)
    for night in range(3):
        now = now.then(link_addition(fingerprints(monologues(1, name=f"z{night}")), now, options=options))
    assert link_addition(fingerprints(monologues(1, name="zz")), now, options=options) is None


def test_what_is_known_of_new_recordings_alone_is_no_reason_to_link_everything():
    before = published(monologues(1, 2, 1))
    added = link_addition(fingerprints(monologues(1, name="z")), before, basis="with bounds of the new")
    assert added is not None
    assert set(added.memory["spaces"]["basis"].to_pylist()) == {"with bounds of the new"}


def enrolled(who, speaker_id):
    return EnrolledVoice(speaker_id=speaker_id, model="made-up", vector=heard(who, room=55), speech_ms=20_000)


def test_who_was_enrolled_and_is_heard_nowhere_yet_is_recognised_when_they_come():
    rows = monologues(1, 2, 1, 2)
    before = published(rows, enrolled=[enrolled(9, "spk_grace"), enrolled(1, "spk_ada")])
    assert set(before.speakers["speaker_id"].to_pylist()) == {"spk_ada", speaker_of(before.outcome)["r1", "S0"]}
    added = link_addition(fingerprints([row("z", "A", heard(9, room=90)), row("z", "B", heard(1, room=90))]), before)
    assert set(speaker_of(added).values()) == {*speaker_of(before.outcome).values(), "spk_grace"}
    assert speaker_of(added)["r0", "S0"] == "spk_ada"


def test_numbers_are_probabilities_and_scores_are_counts():
    outcome = link_whole(fingerprints([*archive(7)[0], row("q", "A", None), row("q", "B", heard(40), ms=300)]))
    for name in ("links", "neighbours"):
        known = getattr(outcome, name)["confidence"].drop_null().to_numpy()
        assert ((known >= 0) & (known <= 1)).all()
    assert np.isfinite(outcome.links["margin"].drop_null().to_numpy()).all()
    assert all(row["low_nats"] % 5 == 0 and row["n_voices"] > 0 for row in outcome.scores.to_pylist())
    assert outcome.neighbours["confidence"].null_count == 0
    reasons = [(row["reason"], row["speaker_id"]) for row in outcome.links.to_pylist() if row["recording_id"] == "q"]
    assert sorted(reasons, key=str) == [("no_fingerprint", None), ("too_little_speech", None)]


def test_default_options_link_small_lakes_as_a_whole():
    assert link_addition(fingerprints([]), published(monologues(1, 2, 1)), options=LinkOptions()) is None


# ---- decisions


def forbidden(*pairs):
    return Constraints(
        apart=tuple((np.array([ours]), np.array([theirs])) for ours, theirs in pairs), forgotten=np.empty(0, np.int64)
    )


def test_people_who_were_said_to_be_two_do_not_become_one_through_others():
    rows, more = two_who_become_one()
    before = published(rows, constraints=forbidden((0, 1)))
    ids = speaker_of(before.outcome)
    one, other = ids["a0", "S0"], ids["a1", "S0"]
    after = link_addition(fingerprints(more), before, apart=[({one}, {other})])
    assert speaker_of(after).items() > ids.items()
    assert {speaker_of(after)[f"z{take}", "S0"] for take in range(3)} & {one, other}


def test_several_prototypes_of_one_person_are_no_rivals():
    said = Constraints(together=(np.array([0, 1]),), forgotten=np.empty(0, np.int64))
    before = published(monologues(*[1, 2, 3, 4] * 2), constraints=said)
    grace = speaker_of(before.outcome)["r0", "S0"]
    assert before.outcome.memory["voices"]["speaker_id"].to_pylist().count(grace) == 2
    more = [row("z0", "A", heard(1, room=80)), row("z1", "A", heard(2, room=81))]
    after = link_addition(fingerprints(more), before)
    assert {speaker_of(after)[name, "S0"] for name in ("z0", "z1")} == {grace}
    assert min(one["confidence"] for one in after.links.to_pylist() if one["recording_id"] > "z") > 0.9
    assert all(one["speaker_id"] != one["other_id"] for one in after.neighbours.to_pylist())
    assert after.memory["voices"]["speaker_id"].to_pylist().count(grace) == 2


def test_a_person_of_two_prototypes_is_nobody_whom_either_is_not():
    rows, more = two_who_become_one()
    rows.append(row("a2", "A", heard(90, room=7)))
    said = Constraints(
        together=(np.array([1, 2]),), apart=((np.array([0]), np.array([2])),), forgotten=np.empty(0, np.int64)
    )
    before = published(rows, constraints=said)
    one, other = (speaker_of(before.outcome)[name, "S0"] for name in ("a0", "a1"))
    after = link_addition(fingerprints(more), before, apart=[({one}, {other})])
    assert speaker_of(after).items() > speaker_of(before.outcome).items()
