"""Maintenance of real lakes: what is published, linked, compared and forgotten is as if there had been none."""

import shutil
from contextlib import suppress
from itertools import count
from types import SimpleNamespace

import pytest

from storage.lake import Lake
from tasks.linking.lake import link_lake
from tasks.maintenance.compact import compact_facts
from tasks.maintenance.maintain import maintain_lake
from tasks.opinions.compare import compare_lake
from tasks.people.forget import forget_speaker
from tasks.planning.plan import plan_run, write_plan
from tasks.planning.spec import EngineChoice
from tasks.publishing.publish import publish_lake
from tasks.stages.run_shard import run_shard
from tests.fact_lakes import Killed, at_write, die, keys_of
from tests.lakes import conversation, fake_spec, lake_rows, query, run_whole, write_archive, write_wav

_DONE_AT = "SELECT stage, recipe, n_recordings, first_done, last_done FROM recipes ORDER BY ALL"
_RUN = "from flows.cli import main; main()"


@pytest.fixture
def archive(tmp_path):
    """Three recordings: 300 and 900 Hz, 900 and 1500 Hz, 1500 and 2100 Hz; and one that is no audio."""
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "broken.wav").write_bytes(b"no audio at all" * 7)
    return write_archive(tmp_path / "archive")


@pytest.fixture
def lake(archive, tmp_path):
    """A lake of many commits, in one of which something had to be tried again."""
    crowded = EngineChoice(name="fake", options={"out_of_memory_on_hz": 2100})
    run_whole(fake_spec(archive, tmp_path / "lake", commit_minutes=0.0, transcriber=crowded))
    write_wav(archive / "later.wav", conversation(300, 2700))
    run_whole(fake_spec(archive, tmp_path / "lake", commit_minutes=0.0))
    return tmp_path / "lake"


def maintained(lake):
    """Maintain so that only what is read is left."""
    for _ in range(2):
        maintain_lake(str(lake), grace_days=0.0)
    opened = Lake(str(lake))
    assert opened.store.list("commits") == []
    assert len(opened.store.list("facts/words")) == 1
    return lake


def digests(lake):
    return {part.part_id: part.digest for part in Lake(str(lake)).latest_publication().parts}


def test_nobody_sees_that_there_was_maintenance(archive, lake):
    before, published, done_at = lake_rows(lake, passing=frozenset()), digests(lake), query(lake, _DONE_AT)
    maintained(lake)
    assert plan_run(fake_spec(archive, lake)).is_current
    assert (lake_rows(lake, passing=frozenset()), digests(lake)) == (before, published)
    write_wav(archive / "newest.wav", conversation(900, 2700))
    ran = run_whole(fake_spec(archive, lake))
    assert ran.published.n_parts_written == 1
    assert digests(lake).items() >= published.items()
    known = query(lake, _DONE_AT)
    assert [row[:2] for row in known] == [row[:2] for row in done_at]
    assert [row[3] for row in known] == [row[3] for row in done_at], "first done when it was"


def test_a_lake_that_was_maintained_goes_on_like_one_that_was_not(archive, lake, tmp_path):
    other = shutil.copytree(lake, tmp_path / "other")
    maintained(lake)
    accent = EngineChoice(name="fake", options={"accent": "y"})
    for one in (lake, other):
        run_whole(fake_spec(archive, one, retry_failed=True))
        run_whole(fake_spec(archive, one, transcriber=accent))
        compare_lake(str(one), ["transcribe", "diarize"])
    maintained(lake)
    for one in (lake, other):
        run_whole(fake_spec(archive, one))
    views = ("words", "transcripts", "turns", "failures", "coverage", "speakers", "comparisons", "disagreements")
    assert lake_rows(lake, views) == lake_rows(other, views)
    n_batches = len(Lake(str(lake)).store.list("comparisons"))
    compare_lake(str(lake), ["transcribe", "diarize"])
    assert len(Lake(str(lake)).store.list("comparisons")) == n_batches, "what was compared was compared"


def test_maintenance_between_link_and_publish(archive, lake):
    write_wav(archive / "newest.wav", conversation(900, 2700))
    spec = fake_spec(archive, lake, commit_minutes=0.0)
    plan = plan_run(spec)
    write_plan(plan)
    for index in range(len(plan.shards)):
        run_shard(str(lake), spec.run_id, index)
    linked = link_lake(str(lake), spec.run_id)
    maintain_lake(str(lake))
    publish_lake(str(lake), spec.run_id, linked)
    assert query(lake, "SELECT count(DISTINCT source) FROM words") == [(5,)]
    maintained(lake)
    assert plan_run(fake_spec(archive, lake)).is_current


# ---- forgotten people


def vectors_of(lake, voice_hz):
    """Return the files with fingerprints of a voice; the fake embedder puts it into its vectors."""
    opened = Lake(str(lake))
    found = []
    for key in sorted(key for key in keys_of(opened) if "/fingerprints/" in key):
        vectors = [one for one in opened.store.read_table(key)["vector"].to_pylist() if one]
        if any(_voice(one) == voice_hz for one in vectors):
            found.append(key)
    return found


def _voice(vector):
    from tests.pipeline.test_people import voice_of

    return voice_of(vector)


def speaker_of(lake, voice_hz):
    ((speaker_id,),) = query(lake, f"SELECT DISTINCT speaker_id FROM words WHERE text LIKE 'v{voice_hz}x%'")
    return speaker_id


def test_whoever_is_forgotten_is_forgotten_in_compactions(archive, lake):
    maintain_lake(str(lake))
    assert len(vectors_of(lake, 900)) >= 3
    forget_speaker(str(lake), speaker_of(lake, 900))
    assert vectors_of(lake, 900) == []
    maintained(lake)
    assert vectors_of(lake, 900) == []
    assert vectors_of(lake, 1500)
    run_whole(fake_spec(archive, lake))
    assert query(lake, "SELECT DISTINCT speaker_id FROM words WHERE text LIKE 'v900x%'") == [(None,)]


def n_writes(lake, tmp_path):
    """Return how many writes a compaction of a copy takes."""
    left = shutil.copytree(lake, tmp_path / "counted")
    for number in count():
        with suppress(Killed), at_write(number, die):
            compact_facts(Lake(str(left)))
            return number
        shutil.rmtree(left)
        shutil.copytree(lake, left)
    return 0


def test_whoever_is_forgotten_while_facts_are_compacted_is_not_brought_back(lake, tmp_path):
    who = speaker_of(lake, 900)
    for number in range(n_writes(lake, tmp_path)):
        one = shutil.copytree(lake, tmp_path / f"lake{number}")
        with at_write(number, lambda one=one: forget_speaker(str(one), who)):
            compact_facts(Lake(str(one)))
        assert vectors_of(one, 900) == [], number
        shutil.rmtree(one)


def test_nor_by_a_compaction_that_was_killed(lake, tmp_path):
    who = speaker_of(lake, 900)
    killed = SimpleNamespace(with_vectors=0)
    for number in range(n_writes(lake, tmp_path)):
        one = shutil.copytree(lake, tmp_path / f"lake{number}")

        def forget_and_die(one=one):
            forget_speaker(str(one), who)
            with at_write(1, die):
                raise Killed

        with suppress(Killed), at_write(number, forget_and_die):
            compact_facts(Lake(str(one)))
        killed.with_vectors += bool(vectors_of(one, 900))
        maintain_lake(str(one))
        assert vectors_of(one, 900) == [], number
        shutil.rmtree(one)
