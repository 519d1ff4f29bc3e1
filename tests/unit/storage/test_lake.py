from datetime import UTC, datetime, timedelta

import pytest

from storage.lake import Lake, new_run_id
from storage.lake_records import Part, Publication
from storage.publishing import commit_table, done_table, is_mirrored, mirror_transcripts, write_whole
from storage.runs import RunRecord
from storage.schemas import PARTS, table_of
from storage.sightings import Sighting

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"))


def word(recording_id, text, *, recipe="r1", run_id="run"):
    return {
        "recording_id": recording_id,
        "channel": 0,
        "chunk_index": 0,
        "segment_index": 0,
        "start_ms": 0,
        "end_ms": 100,
        "text": text,
        "confidence": None,
        "recipe": recipe,
        "run_id": run_id,
    }


def sighting(source, recording_id, *, at=AT):
    return Sighting(archive="/a", source=source, size_bytes=1, mark="m", recording_id=recording_id, at=at)


def commit(lake, recording_id, text, run_id="run"):
    rows = {"words": [word(recording_id, text, run_id=run_id)]}
    return lake.write_commit(run_id, rows, [(recording_id, "transcribe", "r1")], [sighting("a.wav", recording_id)])


def words(lake, *recording_ids):
    state = lake.state()
    table = lake.facts("words", state, [(recording_id, "transcribe", "r1") for recording_id in recording_ids])
    return table["text"].to_pylist()


def publish(lake, number=1, parts=(), **wholes):
    state = lake.state()
    tables = {
        "done": write_whole(lake, "done", done_table(state)),
        "commits": write_whole(lake, "commits", commit_table(state)),
        **wholes,
    }
    publication = Publication(number=number, run_id="run", at=AT, parts=tuple(parts), wholes=tables, bases={})
    return publication, lake.publish(publication)


def test_a_new_lake_knows_nothing(lake):
    state = lake.state()
    assert (state.publication, dict(state.done), list(state.sightings)) == (None, {}, [])


def test_facts_exist_from_their_commit_on(lake):
    commit(lake, "A", "hello")
    assert words(lake, "A") == ["hello"]
    assert lake.state().has_unpublished_commits


def test_facts_without_a_manifest_do_not_exist(lake):
    written = commit(lake, "A", "hello")
    lake.store.delete(f"commits/{written.commit_id}.json")
    assert words(lake, "A") == []


def test_facts_committed_twice_are_read_once(lake):
    commit(lake, "A", "hello", run_id="one")
    commit(lake, "A", "hello", run_id="two")
    commit(lake, "B", "there")
    assert sorted(words(lake, "A", "B")) == ["hello", "there"]


def test_only_the_wanted_recordings_are_read(lake):
    lake.write_commit(
        "run",
        {"words": [word("A", "a"), word("B", "b")]},
        [("A", "transcribe", "r1"), ("B", "transcribe", "r1")],
        [],
    )
    assert words(lake, "B") == ["b"]


def test_the_latest_sighting_counts(lake):
    lake.write_commit("one", {}, [], [sighting("a.wav", "A")])
    lake.write_commit("two", {}, [], [sighting("a.wav", "B", at=AT + timedelta(hours=1))])
    assert lake.state().sightings.get(("/a", "a.wav")).recording_id == "B"


def test_a_publication_carries_the_index_of_what_it_knew(lake):
    commit(lake, "A", "hello")
    lake.write_commit("run", {}, [], [sighting("empty.wav", None)])
    before = lake.state()
    publish(lake)
    after = lake.state()
    assert after.done == before.done
    assert not after.has_unpublished_commits
    commit(lake, "B", "there")
    assert lake.state().has_unpublished_commits
    assert sorted(words(lake, "A", "B")) == ["hello", "there"]


def test_a_publication_number_is_taken_once(lake):
    _, first = publish(lake)
    _, second = publish(lake)
    assert (first, second) == (True, False)
    assert lake.latest_publication().number == 1


def test_equal_tables_have_one_file(lake):
    rows = [{"commit_id": "c", "table": "words", "key": "k"}]
    assert write_whole(lake, "commits", rows) == write_whole(lake, "commits", list(rows))
    assert len(lake.store.list("published/commits")) == 1


def test_names_and_their_removal(lake):
    lake.name_speaker("spk_1", "Ada")
    lake.name_speaker("spk_2", "Bob")
    lake.name_speaker("spk_1", "Ada L.")
    lake.name_speaker("spk_2", None)
    assert lake.names() == {"spk_1": "Ada L."}


def test_runs_come_back_as_they_were(lake):
    record = RunRecord(
        run_id=new_run_id(AT), started_at=AT, profile="p", settings={"a": [1]}, versions={"voxlake": "1"}
    )
    lake.write_run(record)
    assert lake.runs() == [record]


def transcripts(lake, part_id, digest, text):
    row = dict.fromkeys(PARTS["transcripts"].names) | {
        "recording_id": part_id,
        "source": "a.wav",
        "utterance_index": 0,
        "start_ms": 0,
        "end_ms": 1,
        "channel": 0,
        "speaker_uncertain": False,
        "is_overlapped": False,
        "text": text,
        "n_words": 1,
        "flags": [],
        "recipe": "r",
        "run_id": "run",
    }
    key = f"published/transcripts/{part_id}-{digest}.parquet"
    lake.store.write_table(key, table_of([row], PARTS["transcripts"]))
    return Part(part_id=part_id, digest=digest, files={"transcripts": key})


def test_the_mirror_follows_the_publication(lake):
    publish(lake, 1, [transcripts(lake, "p1", "d1", "old"), transcripts(lake, "p2", "d1", "gone")])
    mirror_transcripts(lake)
    second, _ = publish(lake, 2, [transcripts(lake, "p1", "d2", "new")])
    assert not is_mirrored(lake, second)
    mirror_transcripts(lake)
    assert is_mirrored(lake, second)
    names = [name for name in lake.store.list("transcripts") if name.endswith(".parquet")]
    assert names == ["p1.parquet"]
    assert lake.store.read_table("transcripts/p1.parquet", PARTS["transcripts"])["text"].to_pylist() == ["new"]


def test_what_a_killed_mirror_has_written_is_not_seen_twice(lake, monkeypatch):
    class Killed(BaseException):
        pass

    def die(key, value):
        raise Killed

    publish(lake, 1, [transcripts(lake, "p1", "d1", "old")])
    mirror_transcripts(lake)
    publish(lake, 2, [transcripts(lake, "p2", "d1", "regrouped"), transcripts(lake, "p3", "d1", "regrouped")])
    with monkeypatch.context() as patch:
        patch.setattr(lake.store, "put_json", die)
        with pytest.raises(Killed):
            mirror_transcripts(lake)
    third, _ = publish(lake, 3, [transcripts(lake, "p3", "d1", "regrouped"), transcripts(lake, "p4", "d1", "again")])
    mirror_transcripts(lake)
    assert is_mirrored(lake, third)
    assert [name for name in lake.store.list("transcripts") if name.endswith(".parquet")] == [
        "p3.parquet",
        "p4.parquet",
    ]


def test_a_mirror_that_deletes_what_a_newer_publication_has_puts_it_back(lake, monkeypatch):
    publish(lake, 1, [transcripts(lake, "p1", "d1", "old")])
    honest = lake.store.list
    newer = []

    def overtaken(prefix):
        if prefix == "transcripts" and not newer:
            newer.append(publish(lake, 2, [transcripts(lake, "p2", "d1", "new")])[0])
            mirror_transcripts(Lake(lake.url))
        return honest(prefix)

    monkeypatch.setattr(lake.store, "list", overtaken)
    mirror_transcripts(lake)
    assert is_mirrored(lake, newer[0])
    assert [name for name in honest("transcripts") if name.endswith(".parquet")] == ["p2.parquet"]


def test_a_slow_mirror_does_not_put_an_old_publication_over_a_new_one(lake, monkeypatch):
    publish(lake, 1, [transcripts(lake, "p1", "d1", "old"), transcripts(lake, "p2", "d1", "gone")])
    put = lake.store.put
    newer = []

    def overtaken(key, data):
        if key == "transcripts/p1.parquet" and not newer:
            newer.append(publish(lake, 2, [transcripts(lake, "p1", "d2", "new")])[0])
            mirror_transcripts(Lake(lake.url))
        put(key, data)

    monkeypatch.setattr(lake.store, "put", overtaken)
    mirror_transcripts(lake)
    assert is_mirrored(lake, newer[0])
    assert [name for name in lake.store.list("transcripts") if name.endswith(".parquet")] == ["p1.parquet"]
    assert lake.store.read_table("transcripts/p1.parquet", PARTS["transcripts"])["text"].to_pylist() == ["new"]


def test_run_ids_sort_by_time():
    moments = [AT + timedelta(milliseconds=step) for step in (0, 1, 20, 300, 1000, 61_000)]
    run_ids = [new_run_id(at) for at in moments]
    assert run_ids == sorted(run_ids)
