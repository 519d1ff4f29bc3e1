"""Archives that change between runs, several archives in one lake, and what is said of them."""

import os
from dataclasses import replace

import pytest

from storage.errors import UnreachableAudio
from storage.lake import Lake
from tasks.audio.media import open_source
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tasks.planning.spec import EngineChoice
from tasks.stages.run_shard import run_shard
from tests.lakes import conversation, fake_spec, lake_rows, query, run_whole, write_archive, write_wav
from tests.tones import spoken, tone_clip


@pytest.fixture
def archive(tmp_path):
    return write_archive(tmp_path / "archive")


@pytest.fixture
def other(tmp_path):
    write_wav(tmp_path / "other" / "talk.wav", conversation(2700, 3300))
    return tmp_path / "other"


@pytest.fixture
def lake(tmp_path):
    return tmp_path / "lake"


def sources(lake):
    return [source for (source,) in query(lake, "SELECT source FROM recordings ORDER BY 1")]


def out_of_reach(monkeypatch, *names):
    def open_some(archive, source, **options):
        if source in names:
            raise UnreachableAudio(source, "may not be read", "allow reading it")
        return open_source(archive, source, **options)

    monkeypatch.setattr("tasks.stages.run_shard.open_source", open_some)


def test_a_renamed_recording_is_shown_by_the_name_it_has(archive, lake):
    run_whole(fake_spec(archive, lake))
    (archive / "rec 0.wav").rename(archive / "z.wav")
    run_whole(fake_spec(archive, lake))
    assert sources(lake) == ["rec 1.wav", "rec 2.wav", "z.wav"]
    assert query(lake, "SELECT count(*) FROM words WHERE source = 'rec 0.wav'") == [(0,)]


def test_a_renamed_recording_keeps_its_name_when_another_archive_is_taken_in(archive, other, lake):
    run_whole(fake_spec(archive, lake))
    (archive / "rec 0.wav").rename(archive / "z.wav")
    run_whole(fake_spec(archive, lake))
    run_whole(fake_spec(other, lake))
    assert sources(lake) == ["rec 1.wav", "rec 2.wav", "talk.wav", "z.wav"]


def test_a_failure_moves_with_its_recording(archive, lake):
    (archive / "bad.mp3").write_bytes(b"no audio" * 40)
    run_whole(fake_spec(archive, lake))
    (archive / "bad.mp3").rename(archive / "worse.mp3")
    assert run_whole(fake_spec(archive, lake)).published.n_failed == 1
    assert query(lake, "SELECT source FROM failures") == [("worse.mp3",)]


def test_a_failure_that_was_taken_away_is_none_of_the_run(archive, lake):
    (archive / "bad.mp3").write_bytes(b"no audio" * 40)
    assert run_whole(fake_spec(archive, lake)).published.n_failed == 1
    (archive / "bad.mp3").unlink()
    assert run_whole(fake_spec(archive, lake)).published.n_failed == 0


def test_what_cannot_be_read_any_more_keeps_its_transcript(archive, lake, monkeypatch):
    run_whole(fake_spec(archive, lake))
    words = query(lake, "SELECT * EXCLUDE (run_id) FROM words ORDER BY ALL")
    os.utime(archive / "rec 0.wav")
    out_of_reach(monkeypatch, "rec 0.wav")
    assert run_whole(fake_spec(archive, lake)).published.n_failed == 1
    assert query(lake, "SELECT source, error FROM failures") == [("rec 0.wav", "UnreachableAudio")]
    assert query(lake, "SELECT * EXCLUDE (run_id) FROM words ORDER BY ALL") == words
    monkeypatch.undo()
    assert run_whole(fake_spec(archive, lake)).published.n_failed == 0


def test_what_is_out_of_reach_of_a_new_transcriber_is_said(archive, lake, monkeypatch):
    run_whole(fake_spec(archive, lake))
    out_of_reach(monkeypatch, "rec 0.wav")
    accented = EngineChoice(name="fake", options={"accent": "y"})
    assert run_whole(fake_spec(archive, lake, transcriber=accented)).published.n_failed == 1
    assert query(lake, "SELECT source, stage, error FROM failures") == [("rec 0.wav", "transcribe", "UnreachableAudio")]
    assert query(lake, "SELECT DISTINCT source FROM words WHERE text NOT LIKE '%y'") == [("rec 0.wav",)]
    assert run_whole(fake_spec(archive, lake)).published.n_failed == 0


def test_the_failure_of_an_engine_that_is_not_wanted_any_more_is_forgotten(archive, lake):
    huge = EngineChoice(name="fake", options={"accent": "y", "out_of_memory_on_hz": 900})
    assert run_whole(fake_spec(archive, lake, transcriber=huge)).published.n_failed > 0
    assert run_whole(fake_spec(archive, lake)).published.n_failed == 0
    assert query(lake, "SELECT count(*) FROM failures") == [(0,)]


def test_a_failure_stays_when_another_archive_is_taken_in(archive, other, lake):
    crowded = EngineChoice(name="fake", options={"out_of_memory_on_hz": 300})
    run_whole(fake_spec(archive, lake, transcriber=crowded))
    failures = query(lake, "SELECT source, stage FROM failures ORDER BY 1")
    assert failures
    run_whole(fake_spec(other, lake))
    assert query(lake, "SELECT source, stage FROM failures ORDER BY 1") == failures


def test_a_file_that_changes_while_it_is_read_commits_nothing(archive, lake):
    run_whole(fake_spec(archive, lake))
    spec = fake_spec(archive, lake, transcriber=EngineChoice(name="fake", options={"accent": "y"}))
    plan = plan_run(spec)
    write_plan(plan)
    write_wav(archive / "rec 0.wav", conversation(2100, 2700, n_words=6))
    for index in range(len(plan.shards)):
        run_shard(str(lake), spec.run_id, index)
    new_id = run_whole(replace(spec, run_id="next")).plan.shards[0].recordings[0].recording_id
    assert new_id is None
    assert query(lake, "SELECT count(*) FROM failures") == [(0,)]
    assert query(lake, "SELECT DISTINCT text LIKE '%y' FROM words") == [(True,)]
    assert query(lake, "SELECT count(*) FROM words WHERE source = 'rec 0.wav' AND text LIKE 'v2100%'") == [(6,)]


def test_what_the_manifest_said_holds_while_other_archives_are_taken_in(archive, other, lake):
    (archive / "manifest.csv").write_text(
        "source,speakers,collection,title,recorded_at,language\nrec 0.wav,1,club,First,1999-05-01,de\n"
    )
    run_whole(fake_spec(archive, lake))
    views = ("recordings", "speakers", "turns", "transcripts", "coverage")
    before = lake_rows(lake, views)
    run_whole(fake_spec(other, lake))
    after = lake_rows(lake, views)
    assert {view: set(before[view]) - set(after[view]) for view in views} == {view: set() for view in views}


def test_another_clustering_for_another_archive_is_noticed_by_the_first(archive, other, lake):
    spec = fake_spec(archive, lake)
    run_whole(spec)
    before = query(lake, "SELECT count(DISTINCT speaker_id) FROM words")
    run_whole(fake_spec(other, lake, linking=replace(spec.linking, min_speech_ms=100_000)))
    assert query(lake, "SELECT count(DISTINCT speaker_id) FROM words") == [(0,)]
    run_whole(fake_spec(archive, lake))
    assert query(lake, "SELECT count(DISTINCT speaker_id) FROM words WHERE source LIKE 'rec%'") == before


def test_facts_of_a_killed_run_are_shown_though_another_archive_published_in_between(archive, other, lake):
    crowded = EngineChoice(name="fake", options={"out_of_memory_on_hz": 900})
    run_whole(fake_spec(archive, lake, transcriber=crowded))
    killed = fake_spec(archive, lake)
    plan = plan_run(killed)
    write_plan(plan)
    for index in range(len(plan.shards)):
        run_shard(str(lake), killed.run_id, index)
    run_whole(fake_spec(other, lake))
    run_whole(fake_spec(archive, lake))
    assert query(lake, "SELECT count(DISTINCT source) FROM words") == [(4,)]
    assert query(lake, "SELECT count(*) FROM failures") == [(0,)]


def test_recordings_without_words_turns_or_speech(tmp_path, lake):
    folder = tmp_path / "quiet"
    write_wav(folder / "silence.wav", tone_clip(5_000, []))
    write_wav(folder / "hum.wav", tone_clip(5_000, [(500, 4_000, 4_200)]))
    write_wav(folder / "short.wav", tone_clip(400, spoken(0, 300, 1)))
    run_whole(fake_spec(folder, lake))
    covered = query(
        lake,
        """SELECT source, duration_ms = sum(c.end_ms - c.start_ms), string_agg(DISTINCT c.status, ',' ORDER BY c.status)
           FROM recordings r JOIN coverage c USING (recording_id) GROUP BY source, duration_ms ORDER BY 1""",
    )
    assert covered == [
        ("hum.wav", True, "silence,untranscribed"),
        ("short.wav", True, "silence,speech"),
        ("silence.wav", True, "silence"),
    ]
    assert run_whole(fake_spec(folder, lake)).plan.is_current


def test_equal_bytes_are_decoded_once(tmp_path, lake, monkeypatch):
    for index in range(4):
        write_wav(tmp_path / "archive" / f"copy {index}.wav", conversation(300, 900))
    decoded = []
    honest = run_shard.__globals__["read_recording"]
    monkeypatch.setattr(
        "tasks.stages.run_shard.read_recording", lambda reader, source: decoded.append(source) or honest(reader, source)
    )
    run_whole(fake_spec(tmp_path / "archive", lake))
    assert decoded == ["copy 0.wav"]
    run_whole(fake_spec(tmp_path / "archive", lake, transcriber=EngineChoice(name="fake", options={"accent": "y"})))
    assert decoded == ["copy 0.wav"] * 2
    assert Lake(str(lake)).latest_publication().number == 2
