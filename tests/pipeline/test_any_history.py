"""Whatever happened to an archive and to its runs, an undisturbed run makes of it what a new lake would hold."""

import os
import shutil
import tempfile
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from storage.lake import Lake
from tasks.linking.lake import link_lake
from tasks.maintenance.maintain import maintain_lake
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tasks.planning.spec import EngineChoice
from tasks.publishing import pack_plan
from tasks.publishing.pack import pack_lake
from tasks.publishing.publish import publish_lake
from tasks.stages.run_shard import run_shard
from tests.lakes import VOICES_HZ, conversation, fake_spec, query, run_whole, write_wav

NAMES = ("a.wav", "b.wav", "box/a.wav", "c d.wav")
CLIPS = {pair: conversation(*pair, n_words=9 + pair[0] // 1000) for pair in pairwise(VOICES_HZ)}
"""Some are of one size."""
OF_CONTENT = {
    "recordings": "recording_id, source, duration_ms, status, collection",
    "words": "recording_id, source, word_index, utterance_index, start_ms, end_ms, text, local_speaker, speaker_reason",
    "turns": "recording_id, source, start_ms, end_ms, local_speaker, is_exclusive, channel",
    "transcripts": "recording_id, source, utterance_index, start_ms, end_ms, text, local_speaker, flags",
    "coverage": "recording_id, start_ms, end_ms, status, stage",
    "failures": "recording_id, source, stage, error, is_transient, start_ms",
}
"""What follows from a recording alone; who its speakers are may follow from others that were there before."""


class _Killed(BaseException):
    """Stands for the end of the process: no handler of the code under test catches it."""


class History(RuleBasedStateMachine):
    """Edits, runs and accidents in any order; each accident leaves the lake as a killed process would."""

    @initialize()
    def begin(self):
        self.root = Path(tempfile.mkdtemp(prefix="voxlake-history-"))
        self.archive, self.lake = self.root / "archive", self.root / "lake"
        self.n_edits = 0
        for name, pair in zip(NAMES, sorted(CLIPS)[:2], strict=False):
            self.write(name, pair)

    def teardown(self):
        if hasattr(self, "root"):
            self.end_as_a_new_lake()
            shutil.rmtree(self.root)

    def edited(self, path):
        """Give a file a time of its own, as edits of a real archive have."""
        self.n_edits += 1
        os.utime(path, ns=(self.n_edits * 10**9, self.n_edits * 10**9))

    # ---- the archive

    @rule(name=st.sampled_from(NAMES), pair=st.sampled_from(sorted(CLIPS)))
    def write(self, name, pair):
        self.edited(write_wav(self.archive / name, CLIPS[pair]))

    @rule(name=st.sampled_from(NAMES))
    def corrupt(self, name):
        path = self.archive / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no audio at all" * 7)
        self.edited(path)

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name):
        (self.archive / name).unlink(missing_ok=True)

    @rule(index=st.integers(0, 3), to=st.sampled_from(NAMES))
    def rename(self, index, to):
        there = sorted(path for path in self.archive.rglob("*.wav"))
        if there:
            (self.archive / to).parent.mkdir(exist_ok=True)
            there[index % len(there)].replace(self.archive / to)

    @rule(name=st.sampled_from(NAMES), to=st.sampled_from(NAMES))
    def copy(self, name, to):
        if (self.archive / name).exists() and name != to:
            (self.archive / to).parent.mkdir(exist_ok=True)
            shutil.copyfile(self.archive / name, self.archive / to)
            self.edited(self.archive / to)

    # ---- runs

    def spec(self, **changes):
        return fake_spec(self.archive, self.lake, **changes)

    @rule(shard_minutes=st.sampled_from([None, 0.01]), commit_minutes=st.sampled_from([0.0, 20.0]))
    def run(self, shard_minutes, commit_minutes):
        run_whole(self.spec(shard_minutes=shard_minutes, commit_minutes=commit_minutes))
        self.check_that_rows_add_up()

    @rule(
        engine=st.sampled_from(["embedder", "diarizer", "transcriber", "detector"]),
        name=st.sampled_from(NAMES),
        pair=st.sampled_from(sorted(CLIPS)),
        retry_failed=st.booleans(),
    )
    def run_out_of_memory(self, engine, name, pair, retry_failed):
        self.write(name, pair)
        crowded = EngineChoice(name="fake", options={"out_of_memory_on_hz": pair[0]})
        run_whole(self.spec(retry_failed=retry_failed, **{engine: crowded}))
        self.check_that_rows_add_up()

    @rule()
    def run_with_another_transcriber(self):
        run_whole(self.spec(transcriber=EngineChoice(name="fake", options={"accent": "y"})))
        self.check_that_rows_add_up()

    @rule(n_writes=st.integers(0, 40))
    def run_until_killed(self, n_writes):
        self.until_killed(n_writes, lambda: run_whole(self.spec(commit_minutes=0.0, shard_minutes=0.01)))

    @rule(n_writes=st.integers(0, 30), grace_days=st.sampled_from([0.0, 7.0]))
    def maintain_until_killed(self, n_writes, grace_days):
        if self.lake.exists() and Lake(str(self.lake)).store.list("commits"):
            self.until_killed(n_writes, lambda: maintain_lake(str(self.lake), grace_days=grace_days))

    def until_killed(self, n_writes, work):
        writes = iter(range(n_writes))
        honest = Lake.__init__

        def dying(self, url):
            honest(self, url)
            self.store.put = _counted(self.store.put, writes)
            self.store.create = _counted(self.store.create, writes)

        Lake.__init__ = dying
        try:
            with suppress(_Killed):
                work()
        finally:
            Lake.__init__ = honest

    @rule()
    def pack(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pack_plan, "_FEWEST_PARTS", 1)
            pack_lake(str(self.lake))
        self.check_that_rows_add_up()

    @rule()
    def two_runs_at_once(self):
        slow, fast = self.spec(shard_minutes=0.01), self.spec()
        plans = [plan_run(spec) for spec in (slow, fast)]
        for plan in plans:
            write_plan(plan)
        for plan in plans:
            for index in range(len(plan.shards)):
                run_shard(str(self.lake), plan.spec.run_id, index)
        for spec in (fast, slow):
            publish_lake(str(self.lake), spec.run_id, link_lake(str(self.lake), spec.run_id))
        self.check_that_rows_add_up()

    # ---- what always holds

    def check_that_rows_add_up(self):
        if Lake(str(self.lake)).latest_publication() is None:
            return
        uncovered = """SELECT r.source FROM recordings r LEFT JOIN coverage c USING (recording_id)
            GROUP BY ALL HAVING coalesce(sum(c.end_ms - c.start_ms), 0) <> coalesce(any_value(r.duration_ms), 0)"""
        assert query(self.lake, uncovered) == []
        for view, key in {"words": "word_index", "transcripts": "utterance_index"}.items():
            repeated = f"SELECT recording_id, {key} FROM {view} GROUP BY ALL HAVING count(*) > 1"
            assert query(self.lake, repeated) == []
        mirrored = f"SELECT count(*) FROM read_parquet('{self.lake}/transcripts/*.parquet')"
        if Lake(str(self.lake)).store.list("transcripts")[1:]:
            assert query(self.lake, mirrored) == query(self.lake, "SELECT count(*) FROM transcripts")

    def end_as_a_new_lake(self):
        run_whole(self.spec())
        new = self.root / "new"
        run_whole(fake_spec(self.archive, new))
        ids = [one for (one,) in query(new, "SELECT recording_id FROM recordings")]
        for view, columns in OF_CONTENT.items():
            rows = query(self.lake, f"SELECT {columns} FROM {view} ORDER BY ALL")
            kept = [row for row in rows if row[0] in ids]  # what was removed from the archive stays in the lake
            assert kept == query(new, f"SELECT {columns} FROM {view} ORDER BY ALL"), view
        voices = """SELECT split_part(text, 'x', 1), count(DISTINCT speaker_id), count(*) FILTER (speaker_id IS NULL)
            FROM words GROUP BY 1"""
        assert all(row[1:] == (1, 0) for row in query(self.lake, voices))
        assert plan_run(self.spec()).is_current


def _counted(write, writes):
    """Return a write that works while there are numbers left, and then ends the process."""

    def write_or_die(*arguments):
        if next(writes, None) is None:
            raise _Killed
        return write(*arguments)

    return write_or_die


TestHistory = History.TestCase
TestHistory.settings = settings(
    max_examples=8, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
)
