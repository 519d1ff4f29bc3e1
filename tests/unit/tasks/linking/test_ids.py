import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.linking.ids import LineageEvent, assign_ids
from tasks.linking.local import LocalSpeakers


def local(names, speech=None):
    """Local speakers named "r0/S0"."""
    places = [name.split("/") for name in names]
    recordings = tuple(sorted({recording for recording, _ in places}))
    return LocalSpeakers(
        of_label=np.arange(len(names)),
        recording_ids=recordings,
        recording=np.array([recordings.index(recording) for recording, _ in places]),
        number=np.array([int(name[1:]) for _, name in places]),
        first_label=np.argsort(np.argsort(names)),
        chunk=np.arange(len(names)),
        speech_ms=np.array([1_000] * len(names) if speech is None else speech, dtype=np.int64),
        quality=np.ones(len(names), dtype=np.float32),
        vectors=np.zeros((len(names), 2), dtype=np.float32),
    )


def ids_of(local_speakers, speaker, **known):
    """IDs of local speakers whose labels are called like themselves."""
    names = sorted(zip(local_speakers.recording_id, local_speakers.name, strict=True))
    return assign_ids(local_speakers, speaker, lambda row: (names[row][0], 0, 0, names[row][1]), **known)


def published(names, ids):
    return {tuple(name.split("/")): given for name, given in zip(names, ids.of_local, strict=True) if given}


def changes(ids):
    return [event.change for event in ids.events]


def test_ids_follow_from_the_smallest_label_alone():
    one = ids_of(local(["r0/S0", "r1/S0", "r2/S0"]), np.array([0, 0, 1]))
    other = ids_of(local(["r0/S0", "r2/S0"]), np.array([1, 0]))
    assert one.of_local[0] == one.of_local[1] == other.of_local[0]
    assert one.of_local[2] == other.of_local[1] != one.of_local[0]
    assert all(name.startswith("spk_") and len(name) == 14 for name in one.of_local)
    assert changes(one) == ["new", "new"]


def test_without_speaker_there_is_no_id():
    assert ids_of(local(["r0/S0"]), np.array([-1])).of_local == (None,)


def test_growth_keeps_the_id_though_a_smaller_label_arrives():
    names = ["r1/S0", "r2/S0"]
    first = ids_of(local(names), np.array([0, 0]))
    [given_id] = set(first.of_local)
    grown = ids_of(local(["r0/S0", *names]), np.array([0, 0, 0]), previous=published(names, first), since={given_id: 1})
    assert set(grown.of_local) == {given_id}
    assert grown.events == (LineageEvent(speaker_id=given_id, change="grown"),)


def test_nothing_changed_means_no_event():
    names = ["r0/S0", "r1/S0"]
    previous = {("r0", "S0"): "spk_a", ("r1", "S0"): "spk_b"}
    again = ids_of(local(names), np.array([0, 1]), previous=previous, since={"spk_a": 1, "spk_b": 1})
    assert again.of_local == ("spk_a", "spk_b")
    assert again.events == ()


def test_a_merge_keeps_the_older_id_and_of_equals_the_larger():
    names = ["r0/S0", "r1/S0"]
    previous = {("r0", "S0"): "spk_a", ("r1", "S0"): "spk_b"}
    together = local(names, [1_000, 9_000])
    older = ids_of(together, np.array([0, 0]), previous=previous, since={"spk_a": 1, "spk_b": 2})
    larger = ids_of(together, np.array([0, 0]), previous=previous, since={"spk_a": 1, "spk_b": 1})
    assert set(older.of_local) == {"spk_a"}
    assert LineageEvent(speaker_id="spk_b", change="merged_into", other_id="spk_a") in older.events
    assert set(larger.of_local) == {"spk_b"}


def test_a_split_leaves_the_id_with_the_larger_part():
    names = ["r0/S0", "r1/S0", "r2/S0"]
    previous = {("r0", "S0"): "spk_a", ("r1", "S0"): "spk_a", ("r2", "S0"): "spk_a"}
    ids = ids_of(local(names, [1_000, 1_000, 5_000]), np.array([0, 0, 1]), previous=previous, since={"spk_a": 1})
    assert ids.of_local[2] == "spk_a"
    assert ids.of_local[0] == ids.of_local[1] != "spk_a"
    assert ids.events == (LineageEvent(speaker_id=ids.of_local[0], change="split", other_id="spk_a"),)


def test_an_id_is_never_given_to_somebody_else():
    names = ["r0/S0", "r1/S0"]
    [first, _] = ids_of(local(names), np.array([0, 1])).of_local
    parted = ids_of(local(names, [1_000, 5_000]), np.array([0, 1]), previous={("r0", "S0"): first, ("r1", "S0"): first})
    retired = ids_of(local(names), np.array([0, 1]), since={first: 1})
    assert parted.of_local[1] == first
    assert parted.of_local[0] not in {None, first}
    assert retired.of_local[0] not in {None, first}


def test_who_is_no_longer_there_is_gone():
    ids = ids_of(local(["r1/S0"]), np.array([0]), previous={("r0", "S0"): "spk_a"}, since={"spk_a": 1})
    assert LineageEvent(speaker_id="spk_a", change="gone") in ids.events
    assert "spk_a" not in ids.of_local


@given(
    before=st.lists(st.integers(-1, 4), min_size=8, max_size=8),
    after=st.lists(st.integers(-1, 4), min_size=8, max_size=8),
    speech=st.lists(st.integers(0, 5_000), min_size=8, max_size=8),
    order=st.permutations(range(8)),
)
def test_one_id_per_speaker_and_no_id_lost_without_a_word(before, after, speech, order):
    names = [f"r{number}/S0" for number in range(8)]
    first = ids_of(local(names, speech), np.array(before))
    since = {event.speaker_id: 1 for event in first.events}
    previous = published(names, first)
    ids = ids_of(local(names, speech), np.array(after), previous=previous, since=since)
    pairs = {(who, name) for who, name in zip(after, ids.of_local, strict=True) if who >= 0}
    assert len(pairs) == len({who for who, _ in pairs}) == len({name for _, name in pairs})
    lost = {event.speaker_id for event in ids.events if event.change in {"merged_into", "gone"}}
    assert lost == set(previous.values()) - set(ids.of_local)
    born = {event.speaker_id for event in ids.events if event.change in {"new", "split"}}
    assert born == set(ids.of_local) - {None} - set(previous.values())
    assert not born & since.keys()
    shuffled = ids_of(
        local([names[at] for at in order], [speech[at] for at in order]),
        np.array([after[at] for at in order]),
        previous=previous,
        since=since,
    )
    assert list(shuffled.of_local) == [ids.of_local[at] for at in order]
    assert shuffled.events == ids.events
