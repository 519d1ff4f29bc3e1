"""Linking in a real lake: what is added, what makes everything be linked again, and what an accident leaves."""

import shutil
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from flows.local import relink
from storage.lake import Lake
from storage.memory import VOICES_FOLDER
from storage.store import Store
from tasks.linking.lake import link_lake
from tasks.linking.speakers import LinkOptions
from tasks.people.decide import forbid_speakers, merge_speakers, split_speaker, undo_decision
from tasks.people.forget import forget_speaker
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tasks.planning.spec import EngineChoice
from tasks.publishing import assign
from tasks.publishing.publish import publish_lake
from tasks.stages.run_shard import run_shard
from tests.lakes import PASSING, conversation, fake_spec, lake_rows, query, run_whole, write_archive, write_wav

ADDING = LinkOptions(whole_below=1, most_growth=100.0)
TABLES = ("links", "speakers", "fingerprints", "transcripts", "words", "turns")
OF_THE_MODEL = frozenset({"confidence", "margin"})
"""What cosines mean is found anew when everything is linked."""


@pytest.fixture
def archive(tmp_path):
    """Three recordings: 300 and 900 Hz, 900 and 1500 Hz, 1500 and 2100 Hz."""
    return write_archive(tmp_path / "archive")


@pytest.fixture
def lake(archive, tmp_path):
    run_adding(archive, tmp_path / "lake")
    return str(tmp_path / "lake")


def run_adding(archive, lake, **changes):
    return run_whole(fake_spec(archive, lake, linking=ADDING, **changes))


def add_recording(archive, name="new.wav", voices=(900, 2700)):
    """Write a recording that is like no other."""
    write_wav(archive / name, conversation(*voices, n_words=10 + len(list(archive.iterdir()))))


def speaker_of(lake, voice_hz, source="%"):
    ((speaker_id,),) = query(
        lake, f"SELECT DISTINCT speaker_id FROM words WHERE text LIKE 'v{voice_hz}x%' AND source LIKE '{source}'"
    )
    return speaker_id


def rows_of(lake, tables=TABLES, *, passing=OF_THE_MODEL):
    """Return the rows; the confidence of links is left out, unless asked for."""
    links = [table for table in tables if table == "links"]
    others = [table for table in tables if table != "links"]
    return lake_rows(lake, others) | lake_rows(lake, links, passing=PASSING | passing)


def linked_as_a_whole(archive, lake, other):
    """Return the rows that a lake would have, had everything been linked again."""
    shutil.copytree(lake, other)
    run_whole(fake_spec(archive, other, linking=replace(ADDING, whole_below=10**6)))
    return rows_of(other)


# ---- adding


def test_a_new_lake_is_linked_as_a_whole(archive, tmp_path):
    assert run_adding(archive, tmp_path / "lake").link.extent == "whole"


def test_a_recording_that_comes_later_is_added(archive, lake, tmp_path):
    before = rows_of(lake)
    add_recording(archive)
    ran = run_adding(archive, lake)
    assert ran.link.extent == "addition"
    assert (ran.link.n_new, ran.link.n_grown, ran.link.n_merged, ran.link.n_split) == (1, 1, 0, 0)
    assert speaker_of(lake, 900, "new%") == speaker_of(lake, 900)
    after = rows_of(lake)
    assert set(before["links"]) < set(after["links"])
    assert after == linked_as_a_whole(archive, lake, tmp_path / "other")


def test_recordings_may_be_added_night_by_night(archive, lake, tmp_path):
    for night, voices in enumerate([(300, 2700), (2700, 3300), (3300, 2100), (900, 3300)]):
        add_recording(archive, f"night {night}.wav", voices)
        assert run_adding(archive, lake).link.extent == "addition"
    assert len(query(lake, "FROM speakers")) == 6
    assert rows_of(lake) == linked_as_a_whole(archive, lake, tmp_path / "other")


def test_what_is_added_does_not_depend_on_shards(archive, lake, tmp_path):
    shutil.copytree(lake, tmp_path / "other")
    for voices in ((300, 2700), (2700, 3300), (900, 3300)):
        add_recording(archive, f"{voices}.wav", voices)
    lakes = [lake, tmp_path / "other"]
    for one, minutes in zip(lakes, (0.001, 5.0), strict=True):
        assert run_adding(archive, one, shard_minutes=minutes, commit_minutes=0.0).link.extent == "addition"
    assert rows_of(lakes[0], passing=frozenset()) == rows_of(lakes[1], passing=frozenset())


@pytest.mark.usefixtures("full_parts")
def test_only_what_is_new_is_read(archive, lake, monkeypatch):
    old = {recording_id for (recording_id,) in query(lake, "SELECT recording_id FROM recordings")}
    honest, read = Lake.facts, []

    def facts(self, table, state, wanted, **options):
        wanted = list(wanted)
        read.extend(key[0] for key in wanted if table == "fingerprints")
        return honest(self, table, state, wanted, **options)

    monkeypatch.setattr(Lake, "facts", facts)
    add_recording(archive)
    run_adding(archive, lake)
    assert len(set(read)) == 1
    assert not old & set(read)


def test_small_lakes_are_linked_as_a_whole_by_default(archive, tmp_path):
    run_whole(fake_spec(archive, tmp_path / "lake"))
    add_recording(archive)
    assert run_whole(fake_spec(archive, tmp_path / "lake")).link.extent == "whole"


def test_much_that_is_new_makes_everything_be_linked(archive, tmp_path):
    options = replace(ADDING, most_growth=0.4)
    run_whole(fake_spec(archive, tmp_path / "lake", linking=options))
    extents = []
    for night in range(3):
        add_recording(archive, f"night {night}.wav")
        extents.append(run_whole(fake_spec(archive, tmp_path / "lake", linking=options)).link.extent)
    assert extents == ["addition", "whole", "addition"]


def test_another_archive_is_added(lake, tmp_path):
    write_wav(tmp_path / "other" / "talk.wav", conversation(300, 3300))
    ran = run_adding(tmp_path / "other", lake)
    assert ran.link.extent == "addition"
    assert speaker_of(lake, 300, "talk%") == speaker_of(lake, 300, "rec%")


def test_a_known_number_of_speakers_in_what_is_new_is_no_reason_to_link_everything(archive, lake):
    add_recording(archive)
    (archive / "manifest.csv").write_text("source,speakers\nnew.wav,1\n")
    assert run_adding(archive, lake).link.extent == "addition"
    assert len(query(lake, "SELECT DISTINCT local_speaker FROM turns WHERE source = 'new.wav'")) == 1
    add_recording(archive, "newer.wav")
    assert run_adding(archive, lake).link.extent == "addition"


def test_a_recording_whose_file_is_gone_stays_and_is_no_reason_to_link_everything(archive, lake):
    (archive / "rec 0.wav").unlink()
    add_recording(archive, voices=(300, 2700))
    assert run_adding(archive, lake).link.extent == "addition"
    assert speaker_of(lake, 300, "new%") == speaker_of(lake, 300, "rec 0%")


# ---- what makes everything be linked again


def change(archive, lake):
    write_wav(archive / "rec 1.wav", conversation(900, 3300))


def decide(archive, lake):
    forbid_speakers(lake, speaker_of(lake, 300), speaker_of(lake, 900))


def forget_voices(archive, lake):
    shutil.rmtree(Path(lake) / VOICES_FOLDER)


def know_numbers(archive, lake):
    (archive / "manifest.csv").write_text("source,speakers\nrec 0.wav,1\n")


@pytest.mark.parametrize("happens", [change, decide, forget_voices, know_numbers])
def test_what_makes_everything_be_linked_again(archive, lake, tmp_path, happens):
    happens(archive, lake)
    add_recording(archive)
    assert run_adding(archive, lake).link.extent == "whole"
    assert rows_of(lake) == linked_as_a_whole(archive, lake, tmp_path / "other")
    add_recording(archive, "newer.wav")
    assert run_adding(archive, lake).link.extent == "addition"


def test_other_options_make_everything_be_linked_again(archive, lake):
    add_recording(archive)
    options = replace(ADDING, same_nats=0.0)
    assert run_whole(fake_spec(archive, lake, linking=options)).link.extent == "whole"


def test_another_diarizer_makes_everything_be_linked_again(archive, lake):
    add_recording(archive)
    diarizer = EngineChoice(name="fake", options={"max_gap_ms": 50})
    assert run_adding(archive, lake, diarizer=diarizer).link.extent == "whole"


# ---- decisions


def test_decisions_hold_in_what_is_added(archive, lake):
    one, other = speaker_of(lake, 300), speaker_of(lake, 2100)
    merge_speakers(lake, one, other)
    forbid_speakers(lake, speaker_of(lake, 900), speaker_of(lake, 1500))
    relink(lake)
    before = {voice_hz: speaker_of(lake, voice_hz) for voice_hz in (300, 900, 1500, 2100)}
    add_recording(archive, voices=(2100, 900))
    add_recording(archive, "newer.wav", voices=(300, 1500))
    assert run_adding(archive, lake).link.extent == "addition"
    assert {voice_hz: speaker_of(lake, voice_hz) for voice_hz in before} == before
    assert before[300] == before[2100] != before[900] != before[1500]
    assert query(lake, "SELECT count(*) FROM decisions WHERE set_aside IS NOT NULL") == [(0,)]


def test_one_voice_that_was_said_to_be_two_people_stays_so_when_it_is_heard_again(archive, lake):
    add_recording(archive, "a.wav", voices=(3300, 300))
    run_adding(archive, lake)
    decision = split_speaker(lake, speaker_of(lake, 300), ["a.wav"])
    relink(lake)
    sources = ("rec 0.wav", "a.wav")
    apart = {speaker_of(lake, 300, source) for source in sources}
    assert len(apart) == 2
    for night in range(3):
        add_recording(archive, f"night {night}.wav", voices=(300, 2700))
        assert run_adding(archive, lake).link.extent == "addition"
        assert {speaker_of(lake, 300, source) for source in sources} == apart
        assert speaker_of(lake, 300, f"night {night}%") in apart
    undo_decision(lake, decision.decision_id)
    relink(lake)
    assert speaker_of(lake, 300) is not None


def test_who_was_forgotten_is_not_added_when_their_recording_returns(archive, lake):
    forget_speaker(lake, speaker_of(lake, 300))
    relink(lake)
    kept = (archive / "rec 0.wav").read_bytes()
    write_wav(archive / "rec 0.wav", conversation(2700, 3300))
    run_adding(archive, lake)
    (archive / "found.wav").write_bytes(kept)
    (archive / "manifest.csv").write_text("source,speakers\nfound.wav,2\n")
    run_adding(archive, lake)
    assert speaker_of(lake, 300) is None
    assert query(lake, "SELECT reason FROM links WHERE speaker_id IS NULL") == [("forgotten",)]
    voices = query(lake, "SELECT count(*) FROM fingerprints WHERE speaker_id IS NULL AND vector IS NOT NULL")
    assert voices == [(0,)]


# ---- what is written


def test_linking_again_with_nothing_changed_writes_no_part_and_no_table(archive, lake):
    files = {path for path in Path(lake).rglob("*.parquet") if "fingerprints" not in path.parts}
    before = rows_of(lake, passing=frozenset())
    published = relink(lake).publish
    assert (published.n_parts, published.n_parts_written) == (1, 0)
    assert rows_of(lake, passing=frozenset()) == before
    assert {path for path in Path(lake).rglob("*.parquet") if "fingerprints" not in path.parts} == files


@pytest.fixture
def full_parts(monkeypatch):
    """Let every part that is there be full."""
    monkeypatch.setattr(assign, "_PART_RECORDINGS", 1)


@pytest.mark.usefixtures("full_parts")
def test_what_is_added_leaves_the_parts_that_are_full(archive, lake):
    add_recording(archive)
    published = run_adding(archive, lake).published
    assert (published.n_parts, published.n_parts_written) == (4, 1)


@pytest.mark.usefixtures("full_parts")
def test_a_merge_rewrites_only_parts_of_those_who_were_merged(archive, lake):
    for night, voices in enumerate([(2700, 3300), (3300, 1500)]):
        add_recording(archive, f"night {night}.wav", voices)
        run_adding(archive, lake)
    merge_speakers(lake, speaker_of(lake, 2700), speaker_of(lake, 900))
    published = relink(lake).publish
    assert speaker_of(lake, 2700) == speaker_of(lake, 900)
    assert (published.n_parts, published.n_parts_written) == (5, 1)


# ---- accidents


class _Killed(BaseException):
    """Stands for the end of the process: no handler of the code under test catches it."""


def read_all(spec):
    """Run everything but the reduce."""
    plan = plan_run(spec)
    write_plan(plan)
    for index in range(len(plan.shards)):
        run_shard(plan.spec.lake, spec.run_id, index)


def reduce_until_killed(lake, run_id, n_writes, monkeypatch):
    """Link and publish, and end with so many writes; return whether that was the end of it."""
    left = iter(range(n_writes))

    def dying(honest):
        def write(self, key, data):
            if next(left, None) is None:
                raise _Killed
            return honest(self, key, data)

        return write

    with monkeypatch.context() as patch:
        for name in ("put", "create"):
            patch.setattr(Store, name, dying(getattr(Store, name)))
        try:
            publish_lake(lake, run_id, link_lake(lake, run_id))
        except _Killed:
            return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["addition", "whole"])
def test_a_link_that_is_stopped_anywhere_shows_nothing_and_is_done_again(archive, lake, tmp_path, monkeypatch, kind):
    options = ADDING if kind == "addition" else replace(ADDING, whole_below=10**6)
    add_recording(archive)
    read_all(fake_spec(archive, lake, linking=options))
    shutil.copytree(lake, tmp_path / "undisturbed")
    assert run_whole(fake_spec(archive, tmp_path / "undisturbed", linking=options)).link.extent == kind
    before, after = (rows_of(one, passing=frozenset()) for one in (lake, tmp_path / "undisturbed"))
    shows = []
    for n_writes in count():
        attempt = str(tmp_path / f"attempt {n_writes}")
        shutil.copytree(lake, attempt)
        spec = fake_spec(archive, attempt, linking=options)
        write_plan(plan_run(spec))
        is_done = reduce_until_killed(attempt, spec.run_id, n_writes, monkeypatch)
        shows.append(rows_of(attempt, passing=frozenset()))
        run_whole(fake_spec(archive, attempt, linking=options))
        assert rows_of(attempt, passing=frozenset()) == after
        if is_done:
            break
    n_before = shows.count(before)
    assert n_before > 12
    assert shows == [before] * n_before + [after] * (len(shows) - n_before)
