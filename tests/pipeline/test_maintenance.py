"""Maintenance of real lakes: what is published, linked, compared and forgotten is as if there had been none."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress

import pytest

from flows.local import relink
from storage.lake import Lake
from tasks.linking.lake import link_lake
from tasks.maintenance.compact import compact_facts
from tasks.maintenance.maintain import maintain_lake
from tasks.opinions.compare import compare_lake
from tasks.people.forget import forget_speaker
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tasks.planning.spec import EngineChoice
from tasks.publishing.publish import publish_lake
from tasks.stages.run_shard import run_shard
from tests import archives
from tests.fact_lakes import Killed, at_write_of, die, keys_of
from tests.lakes import conversation, fake_spec, lake_rows, query, run_whole, write_archive, write_wav

_DONE_AT = "SELECT stage, recipe, n_recordings, first_done, last_done FROM recipes ORDER BY ALL"
_RUN = "from flows.cli import main; main()"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """An archive, and a lake of it with many commits, in one of which something had to be tried again."""
    root = tmp_path_factory.mktemp("original")
    archive, lake = write_archive(root / "archive"), root / "lake"
    (archive / "broken.wav").write_bytes(b"no audio at all" * 7)
    crowded = EngineChoice(name="fake", options={"out_of_memory_on_hz": 2100})
    run_whole(fake_spec(archive, lake, commit_minutes=0.0, transcriber=crowded))
    write_wav(archive / "later.wav", conversation(300, 2700))
    run_whole(fake_spec(archive, lake, commit_minutes=0.0))
    return archive, lake


@pytest.fixture
def archive(original):
    """300 and 900 Hz, 900 and 1500 Hz, 1500 and 2100 Hz, 300 and 2700 Hz; and a file that is no audio."""
    yield original[0]
    (original[0] / "newest.wav").unlink(missing_ok=True)


@pytest.fixture
def lake(original, tmp_path):
    return shutil.copytree(original[1], tmp_path / "lake")


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
    assert relink(str(lake)).publish.n_parts_written == 0
    assert (lake_rows(lake, passing=frozenset()), digests(lake)) == (before, published)
    write_wav(archive / "newest.wav", conversation(900, 2700))
    run_whole(fake_spec(archive, lake))
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
        if any(100 * one.index(max(one)) + 200 == voice_hz for one in vectors):
            found.append(key)
    return found


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


def test_whoever_is_forgotten_while_facts_are_compacted_is_not_brought_back(lake, tmp_path):
    who = speaker_of(lake, 900)
    for before in ("fingerprints", "failures", "compactions"):
        one = shutil.copytree(lake, tmp_path / before)
        with at_write_of(before, lambda one=one: forget_speaker(str(one), who)):
            compact_facts(Lake(str(one)))
        assert Lake(str(one)).store.list("compactions")
        assert vectors_of(one, 900) == [], before


def test_nor_by_a_compaction_that_was_killed_at_the_same_time(lake):
    opened, who = Lake(str(lake)), speaker_of(lake, 900)
    with suppress(Killed), at_write_of("compactions", die):
        compact_facts(opened)
    facts = [key for key in vectors_of(lake, 900) if key.startswith("facts/")]
    (stray,) = (key for key in facts if key.rpartition("/")[2] not in known_facts(opened))
    written = opened.store.read(stray)
    forget_speaker(str(lake), who)
    opened.store.put(stray, written)  # as if it had been written when the forgetting had looked for files already
    maintain_lake(str(lake))
    assert vectors_of(lake, 900) == []
    assert vectors_of(lake, 1500)


def known_facts(opened):
    return {f"{name.removesuffix('.json')}.parquet" for name in opened.store.list("commits")}


# ---- others at work


@pytest.mark.slow
def test_rows_are_counted_right_while_a_run_writes_and_maintenance_compacts(tmp_path):
    """A run in another process, maintenance here again and again, and every state that was ever seen is read anew."""
    archive, lake = archives.write_archive(tmp_path / "archive", n_recordings=6), tmp_path / "lake"
    alone = tmp_path / "alone"
    run_whole(archives.fake_spec(archive, alone))
    expected = n_words(alone)
    process = start_run(archive, lake, tmp_path)
    states, n_maintained = [], 0
    while process.poll() is None:
        opened = Lake(str(lake))
        if opened.store.list("commits"):
            n_maintained += maintain_lake(str(lake)).compacted.n_compactions
            states = [*states[-5:], opened.state()]
        for state in states:
            for key in state.done:
                if key[1] == "transcribe":
                    assert len(opened.facts("words", state, [key])) == expected[key[0]]
    assert process.wait() == 1  # the file that is no audio
    maintain_lake(str(lake))
    assert n_maintained > 1
    assert n_words(lake) == expected
    assert archives.published_rows(lake) == archives.published_rows(alone)


def n_words(lake):
    opened = Lake(str(lake))
    state = opened.state()
    keys = [key for key in state.done if key[1] == "transcribe"]
    return {key[0]: len(opened.facts("words", state, [key])) for key in keys}


def start_run(archive, lake, tmp_path):
    variables = {
        "VOXLAKE_PROFILE": "fake",
        "VOXLAKE_WORKERS": "1",
        "VOXLAKE_COMMIT_MINUTES": "0.01",
        "VOXLAKE_TRANSCRIBER__OPTIONS": '{"delay_ms": 300}',
    }
    command = [sys.executable, "-c", _RUN, "run", str(archive), str(lake), "--local", "--json"]
    with (tmp_path / "errors.txt").open("w") as errors:
        return subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.DEVNULL, stderr=errors)
