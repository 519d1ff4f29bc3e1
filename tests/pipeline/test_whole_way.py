"""The whole way of the data, in one process, with fake engines."""

import shutil
from dataclasses import replace

import pytest

from storage.errors import PublicationRaced
from storage.lake import Lake
from storage.records import SpeakerBounds
from tasks.audio.chunking import ChunkOptions
from tasks.linking.lake import link_lake
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tasks.planning.spec import EngineChoice
from tasks.publishing.publish import publish_lake
from tasks.stages.run_shard import run_shard
from tests.lakes import conversation, fake_spec, lake_rows, query, run_whole, write_archive, write_wav
from tests.tones import spoken, tone_clip


@pytest.fixture
def archive(tmp_path):
    return write_archive(tmp_path / "archive")


@pytest.fixture
def lake(tmp_path):
    return tmp_path / "lake"


def test_who_said_what_across_the_archive(archive, lake):
    run_whole(fake_spec(archive, lake))
    voices = query(
        lake,
        """SELECT split_part(w.text, 'x', 1) AS voice, count(DISTINCT speaker_id), count(DISTINCT recording_id)
           FROM words w GROUP BY 1 ORDER BY 1""",
    )
    assert voices == [("v1500", 1, 2), ("v2100", 1, 1), ("v300", 1, 1), ("v900", 1, 2)]
    assert query(lake, "SELECT count(*) FROM speakers") == [(4,)]
    assert query(lake, "SELECT min(n_recordings), max(n_recordings) FROM speakers") == [(1, 2)]


def test_words_utterances_and_turns_agree(archive, lake):
    run_whole(fake_spec(archive, lake))
    assert query(
        lake,
        """SELECT count(*) FROM transcripts t JOIN
           (SELECT recording_id, utterance_index, string_agg(text, ' ' ORDER BY word_index) AS text, count(*) AS n
            FROM words GROUP BY ALL) w USING (recording_id, utterance_index)
           WHERE w.text <> t.text OR w.n <> t.n_words""",
    ) == [(0,)]
    assert query(lake, "SELECT count(*) FROM words WHERE speaker_id IS NULL") == [(0,)]


def test_coverage_tiles_every_recording(archive, lake):
    run_whole(fake_spec(archive, lake))
    sums = query(
        lake,
        """SELECT r.duration_ms, sum(c.end_ms - c.start_ms), min(c.start_ms), max(c.end_ms)
           FROM recordings r JOIN coverage c USING (recording_id) GROUP BY r.recording_id, r.duration_ms""",
    )
    assert len(sums) == 3
    assert all(duration == total == last and first == 0 for duration, total, first, last in sums)


def test_the_promised_columns_are_there(archive, lake):
    run_whole(fake_spec(archive, lake))
    promised = {
        "recordings": "recording_id source collection duration_ms sample_rate_hz n_channels codec language recorded_at "
        "title status",
        "sources": "source size_bytes mark recording_id first_seen last_seen",
        "transcripts": "recording_id source utterance_index start_ms end_ms speaker_id speaker_name local_speaker "
        "speaker_confidence speaker_uncertain is_overlapped text language confidence no_speech_confidence flags",
        "words": "recording_id source word_index utterance_index start_ms end_ms text confidence speaker_id "
        "local_speaker speaker_margin speaker_reason is_overlapped",
        "turns": "recording_id source start_ms end_ms local_speaker speaker_id confidence is_exclusive",
        "fingerprints": "recording_id chunk_index local_speaker model vector speech_ms speaker_id",
        "speakers": "speaker_id name n_recordings speech_ms first_seen last_seen merged_into",
        "coverage": "recording_id start_ms end_ms status stage",
        "failures": "recording_id source stage error message is_transient run_id at",
        "runs": "run_id started_at ended_at profile settings versions counts audio_ms wall_ms",
    }
    for view, columns in promised.items():
        found = [row[0] for row in query(lake, f"DESCRIBE {view}")]
        assert found[: len(columns.split())] == columns.split(), view


def test_nothing_to_do_is_seen_in_the_plan(archive, lake):
    run_whole(fake_spec(archive, lake))
    again = run_whole(fake_spec(archive, lake))
    assert again.plan.is_current
    assert again.plan.shards == ()


def test_one_new_file_is_only_its_own_work(archive, lake):
    run_whole(fake_spec(archive, lake))
    ids = dict(query(lake, "SELECT recording_id || local_speaker, speaker_id FROM links"))
    write_wav(archive / "new.wav", conversation(300, 2700))
    second = run_whole(fake_spec(archive, lake))
    assert [one.obj.source for shard in second.plan.shards for one in shard.recordings] == ["new.wav"]
    assert (second.published.n_parts, second.published.n_parts_written) == (1, 1)
    assert (second.link.n_new, second.link.n_grown) == (1, 1)
    after = dict(query(lake, "SELECT recording_id || local_speaker, speaker_id FROM links"))
    assert ids.items() <= after.items()


def test_another_transcriber_means_no_second_diarization(archive, lake):
    run_whole(fake_spec(archive, lake))
    other = fake_spec(archive, lake, transcriber=EngineChoice(name="fake", options={"accent": "y"}))
    second = run_whole(other)
    assert {stage for shard in second.plan.shards for one in shard.recordings for stage in one.stages} == {"transcribe"}
    assert "diarize" not in second.shards.stage_ms
    assert query(lake, "SELECT count(*) FROM words WHERE text NOT LIKE '%y'") == [(0,)]
    back = run_whole(fake_spec(archive, lake))
    assert back.plan.shards == ()
    assert query(lake, "SELECT count(*) FROM words WHERE text LIKE '%y'") == [(0,)]


def test_another_clustering_threshold_runs_only_the_reduce(archive, lake):
    spec = fake_spec(archive, lake)
    run_whole(spec)
    second = run_whole(fake_spec(archive, lake, linking=replace(spec.linking, min_speech_ms=1)))
    assert second.plan.shards == ()
    assert second.link is not None


@pytest.mark.parametrize("rules", ["LINK_RULES", "PUBLISH_RULES"])
def test_other_rules_run_only_the_reduce(archive, lake, monkeypatch, rules):
    run_whole(fake_spec(archive, lake))
    before = lake_rows(lake)
    monkeypatch.setattr(f"tasks.planning.rules.{rules}", 99)
    again = run_whole(fake_spec(archive, lake))
    assert not again.plan.is_current
    assert again.plan.shards == ()
    assert lake_rows(lake) == before
    assert run_whole(fake_spec(archive, lake)).plan.is_current


def test_new_fingerprints_come_from_the_turns_that_stand(archive, lake, monkeypatch):
    run_whole(fake_spec(archive, lake))
    before = lake_rows(lake)
    monkeypatch.setattr("tasks.planning.recipes._FINGERPRINT_RULES", 99)
    second = run_whole(fake_spec(archive, lake))
    stages = {stage for shard in second.plan.shards for one in shard.recordings for stage in one.stages}
    assert stages == {"fingerprint"}
    assert set(second.shards.stage_ms) == {"probe", "fingerprint"}
    assert lake_rows(lake) == before


@pytest.mark.parametrize("shard_minutes", [0.01, 0.2, 60.0])
def test_rows_do_not_depend_on_shards(archive, tmp_path, shard_minutes):
    one, other = tmp_path / "one", tmp_path / "other"
    run_whole(fake_spec(archive, one))
    run_whole(fake_spec(archive, other, shard_minutes=shard_minutes, commit_minutes=0.0))
    assert lake_rows(one) == lake_rows(other)


def test_equal_bytes_are_one_recording_with_two_names(archive, lake):
    shutil.copy(archive / "rec 0.wav", archive / "copy.wav")
    report = run_whole(fake_spec(archive, lake)).shards
    assert (report.n_recordings, report.n_duplicates) == (4, 1)
    assert query(lake, "SELECT count(*) FROM recordings") == [(3,)]
    assert query(lake, "SELECT count(*), count(DISTINCT recording_id) FROM sources") == [(4, 3)]
    assert query(lake, "SELECT DISTINCT source FROM transcripts WHERE source LIKE '%0%' OR source LIKE 'copy%'") == [
        ("copy.wav",)
    ]


def test_a_renamed_file_is_not_decoded_again(archive, lake):
    run_whole(fake_spec(archive, lake))
    (archive / "rec 1.wav").rename(archive / "renamed.wav")
    second = run_whole(fake_spec(archive, lake))
    assert second.shards.n_duplicates == 1
    assert second.shards.stage_ms == {}


def test_equal_names_in_different_folders_are_two_recordings(archive, lake):
    write_wav(archive / "box" / "rec 0.wav", conversation(2100, 2700))
    run_whole(fake_spec(archive, lake))
    found = query(lake, "SELECT source FROM recordings WHERE source LIKE '%rec 0.wav' ORDER BY 1")
    assert found == [("box/rec 0.wav",), ("rec 0.wav",)]


def test_changed_bytes_under_the_same_name_are_read_again(archive, lake):
    run_whole(fake_spec(archive, lake))
    write_wav(archive / "rec 0.wav", conversation(2100, 2700, n_words=9))
    run_whole(fake_spec(archive, lake))
    assert query(lake, "SELECT count(*) FROM words WHERE source = 'rec 0.wav' AND text LIKE 'v2100%'") == [(9,)]


def test_a_failing_chunk_costs_only_itself(archive, lake):
    write_wav(archive / "bad.wav", conversation(3300, 300))
    spec = fake_spec(archive, lake, transcriber=EngineChoice(name="fake", options={"fail_on_hz": 3300}))
    first = run_whole(spec)
    assert first.published.n_failed == 1
    failures = query(lake, "SELECT source, stage, error, is_transient, start_ms FROM failures")
    assert failures == [("bad.wav", "transcribe", "EngineError", False, 0)]
    assert query(
        lake, "SELECT DISTINCT c.status FROM coverage c JOIN recordings USING (recording_id) WHERE source = 'bad.wav'"
    ) == [("failed",)]
    assert query(lake, "SELECT count(DISTINCT source) FROM words") == [(3,)]
    assert query(lake, "SELECT count(*) > 0 FROM turns WHERE source = 'bad.wav'") == [(True,)]
    assert run_whole(replace(spec, run_id="again")).plan.is_current
    healed = run_whole(fake_spec(archive, lake, retry_failed=True))
    assert healed.shards.n_recordings == 1
    assert query(lake, "SELECT count(*) FROM failures") == [(0,)]
    assert query(lake, "SELECT count(DISTINCT source) FROM words") == [(4,)]


def test_what_is_transient_is_tried_again_by_the_next_run(archive, lake):
    write_wav(archive / "big.wav", conversation(3300, 300))
    crowded = EngineChoice(name="fake", options={"out_of_memory_on_hz": 3300})
    run_whole(fake_spec(archive, lake, transcriber=crowded))
    assert query(lake, "SELECT source, error, is_transient FROM failures") == [("big.wav", "EngineOutOfMemory", True)]
    second = run_whole(fake_spec(archive, lake))
    assert [one.stages for shard in second.plan.shards for one in shard.recordings] == [("transcribe",)]
    assert query(lake, "SELECT count(*) FROM failures") == [(0,)]
    assert query(lake, "SELECT count(DISTINCT source) FROM words") == [(4,)]


def test_files_that_are_no_recordings_are_failures_with_a_reason(archive, lake):
    (archive / "empty.mp3").write_bytes(b"")
    (archive / "noise.flac").write_bytes(bytes(range(256)) * 40)
    (archive / "list.m3u8").write_text("#EXTM3U\n#EXTINF:5,\nfile:///etc/hostname\n")
    (archive / "folder.wav").mkdir()
    first = run_whole(fake_spec(archive, lake))
    assert first.published.n_failed == 3
    failures = dict(query(lake, "SELECT source, error FROM failures"))
    assert failures == {"empty.mp3": "EmptyAudio", "list.m3u8": "UnsafeMedia", "noise.flac": "UnreadableAudio"}
    assert query(lake, "SELECT count(*) FROM recordings WHERE status = 'failed'") == [(3,)]
    assert run_whole(fake_spec(archive, lake)).plan.is_current


def test_long_recordings_are_cut_and_their_voices_joined(tmp_path, lake):
    turns = [sound for i in range(20) for sound in spoken(500 + 3_000 * i, (300, 900)[i % 2], 6)]
    write_wav(tmp_path / "archive" / "long.wav", tone_clip(61_000, turns))
    chunking = ChunkOptions(target_ms=10_000, max_ms=12_500, min_ms=2_000)
    run_whole(fake_spec(tmp_path / "archive", lake, chunking=chunking))
    whole = lake.with_name("whole")
    run_whole(fake_spec(tmp_path / "archive", whole))
    assert query(lake, "SELECT count(DISTINCT chunk_index) > 4 FROM fingerprints") == [(True,)]
    assert query(lake, "SELECT count(*) FROM speakers") == [(2,)]
    sql = "SELECT start_ms, end_ms, text, local_speaker FROM words ORDER BY word_index"
    assert query(lake, sql) == query(whole, sql)


def test_two_channels_are_two_people(tmp_path, lake):
    left = tone_clip(20_000, [*spoken(500, 300, 10), *spoken(10_000, 300, 8)])
    right = tone_clip(20_000, [*spoken(5_000, 900, 10), *spoken(14_000, 900, 8)])
    write_wav(tmp_path / "archive" / "call.wav", left, right)
    run_whole(fake_spec(tmp_path / "archive", lake))
    assert query(lake, "SELECT channel_mode FROM recordings") == [("split",)]
    assert query(lake, "SELECT channel, count(DISTINCT speaker_id), count(*) FROM words GROUP BY 1 ORDER BY 1") == [
        (0, 1, 18),
        (1, 1, 18),
    ]


def test_the_manifest_gives_hints(archive, lake):
    (archive / "manifest.csv").write_text(
        "source,speakers,collection,title,recorded_at\nrec 0.wav,2,club,First meeting,1999-05-01\n"
    )
    plan = run_whole(fake_spec(archive, lake)).plan
    hints = {one.obj.source: one.hints for one in plan.listed}
    assert hints["rec 0.wav"].speakers == SpeakerBounds(min_speakers=2, max_speakers=2)
    assert query(lake, "SELECT collection, title, recorded_at FROM recordings WHERE source = 'rec 0.wav'") == [
        ("club", "First meeting", "1999-05-01")
    ]
    assert query(lake, "SELECT count(*) FROM speakers WHERE first_seen = '1999-05-01'") == [(2,)]


def test_a_second_archive_joins_the_same_people(archive, lake, tmp_path):
    run_whole(fake_spec(archive, lake))
    write_wav(tmp_path / "more" / "rec 0.wav", conversation(300, 900, n_words=11))
    run_whole(fake_spec(tmp_path / "more", lake))
    assert query(lake, "SELECT count(*) FROM recordings") == [(4,)]
    assert query(lake, "SELECT count(*) FROM speakers") == [(4,)]
    assert run_whole(fake_spec(archive, lake)).plan.is_current


def test_a_run_that_is_overtaken_links_again(archive, lake):
    slow, fast = fake_spec(archive, lake), fake_spec(archive, lake)
    plans = [plan_run(spec) for spec in (slow, fast)]
    for spec, plan in zip((slow, fast), plans, strict=True):
        write_plan(plan)
        run_shard(plan.spec.lake, spec.run_id, 0)
    link_of_slow = link_lake(str(lake), slow.run_id)
    publish_lake(str(lake), fast.run_id, link_lake(str(lake), fast.run_id))
    with pytest.raises(PublicationRaced):
        publish_lake(str(lake), slow.run_id, link_of_slow)
    publish_lake(str(lake), slow.run_id, link_lake(str(lake), slow.run_id))
    alone = lake.with_name("alone")
    run_whole(fake_spec(archive, alone))
    assert lake_rows(lake) == lake_rows(alone)


def test_names_reach_back(archive, lake):
    run_whole(fake_spec(archive, lake))
    ((speaker_id,),) = query(lake, "SELECT DISTINCT speaker_id FROM words WHERE text LIKE 'v900%'")
    Lake(str(lake)).name_speaker(speaker_id, "Grace O'Malley")
    assert query(
        lake, "SELECT count(DISTINCT recording_id) FROM transcripts WHERE speaker_name = 'Grace O''Malley'"
    ) == [(2,)]


def test_what_cannot_be_listed_is_a_failure_until_it_is_gone(archive, lake, tmp_path):
    outside = write_wav(tmp_path / "outside.wav", conversation(300))
    (archive / "link.wav").symlink_to(outside)
    first = run_whole(fake_spec(archive, lake))
    assert first.published.n_failed == 1
    assert query(lake, "SELECT source, recording_id FROM failures") == [("link.wav", None)]
    assert run_whole(fake_spec(archive, lake)).plan.is_current
    (archive / "link.wav").unlink()
    assert run_whole(fake_spec(archive, lake)).published.n_failed == 0
    assert query(lake, "SELECT count(*) FROM failures") == [(0,)]


def test_new_words_and_new_fingerprints_at_once(archive, lake, monkeypatch):
    run_whole(fake_spec(archive, lake))
    n_words = query(lake, "SELECT count(*) FROM words")
    monkeypatch.setattr("tasks.planning.recipes._FINGERPRINT_RULES", 99)
    other = EngineChoice(name="fake", options={"accent": "y"})
    second = run_whole(fake_spec(archive, lake, transcriber=other))
    stages = {one.stages for shard in second.plan.shards for one in shard.recordings}
    assert stages == {("transcribe", "fingerprint")}
    assert query(lake, "SELECT count(*) FROM words WHERE text LIKE '%y'") == n_words


def test_whatever_a_decoder_raises_is_one_failure(archive, lake, monkeypatch):
    from tasks.audio.decode import RecordingReader

    sound = RecordingReader.blocks

    def broken(self):
        yield from sound(self)
        if self._media.subject == "rec 1.wav":
            raise ZeroDivisionError("inside libav")

    monkeypatch.setattr(RecordingReader, "blocks", broken)
    run_whole(fake_spec(archive, lake))
    assert query(lake, "SELECT source, error FROM failures") == [("rec 1.wav", "UnreadableAudio")]
    assert query(lake, "SELECT count(DISTINCT source) FROM words") == [(2,)]
