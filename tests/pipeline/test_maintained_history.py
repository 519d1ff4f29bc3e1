"""Whatever is committed, published, maintained, killed and read in whatever order: each fact is read once, by all."""

import uuid
from contextlib import suppress
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from storage.compactions import read_compactions
from storage.lake import Lake
from tasks.maintenance.maintain import maintain_lake
from tests.fact_lakes import (
    Killed,
    at_write,
    commit_words,
    die,
    keys_of,
    let_pass,
    publish_index,
    what_is_read,
)

GRACE = timedelta(days=7)
N_WRITES = st.integers(0, 25)


class MaintainedHistory(RuleBasedStateMachine):
    """A lake that is maintained, beside one that never is and holds the very same commits."""

    @initialize()
    def begin(self):
        folder = f"memory://maintained/{uuid.uuid4()}"
        self.lake, self.alone = Lake(f"{folder}/lake"), Lake(f"{folder}/alone")
        self.readers = []
        for recording_id in "AB":
            self.commit(recording_id, "r1", 1, fails=True)

    @rule(
        recording_id=st.sampled_from("ABC"),
        recipe=st.sampled_from(["r1", "r2"]),
        n=st.integers(0, 2),
        fails=st.booleans(),
    )
    def commit(self, recording_id, recipe, n, fails):
        words = [f"{recording_id}{at}" for at in range(n)]
        made = commit_words(self.lake, recording_id, words, recipe=recipe, fails=fails)
        for key in (*made.files.values(), f"commits/{made.commit_id}.json"):
            self.alone.store.put(key, self.lake.store.read(key))

    @rule(number=st.integers(0, 2))
    def commit_until_killed(self, number):
        with suppress(Killed), at_write(number, die):
            made = commit_words(self.lake, "K", ["killed"], fails=True)
            self.lake.store.delete(f"commits/{made.commit_id}.json")  # it had fewer writes than that

    @rule()
    def publish(self):
        publish_index(self.lake)

    @rule(days=st.sampled_from([0.3, 2, 8]))
    def wait(self, days):
        let_pass(self.lake, timedelta(days=days))
        self.readers = [(age + timedelta(days=days), state, rows) for age, state, rows in self.readers]
        self.readers = [one for one in self.readers if one[0] < GRACE]

    @rule()
    def begin_to_read(self):
        state = self.lake.state()
        self.readers.append((timedelta(0), state, what_is_read(self.lake, state)))

    @rule()
    def maintain(self):
        maintain_lake(self.lake.url)

    @rule(number=N_WRITES)
    def maintain_until_killed(self, number):
        with suppress(Killed), at_write(number, die):
            maintain_lake(self.lake.url)

    @rule(number=N_WRITES, then=st.sampled_from(["maintain", "publish", "begin_to_read", "commit_c"]))
    def maintain_while_others(self, number, then):
        with at_write(number, getattr(self, then)):
            maintain_lake(self.lake.url)

    def commit_c(self):
        self.commit("C", "r1", 2, fails=True)

    @invariant()
    def everybody_reads_each_fact_once(self):
        if not hasattr(self, "lake"):
            return
        assert what_is_read(self.lake, self.lake.state()) == what_is_read(self.alone, self.alone.state())
        for _, state, rows in self.readers:
            assert what_is_read(self.lake, state) == rows
            known = self.lake.state(known=state.commits.keys())
            if known.publication == state.publication:
                assert known.done == state.done

    def teardown(self):
        if not hasattr(self, "lake"):
            return
        for _ in range(2):
            maintain_lake(self.lake.url)
            self.publish()
            self.wait(400)
        maintain_lake(self.lake.url)
        self.everybody_reads_each_fact_once()
        names = {one.compaction_id for one in read_compactions(self.lake.store)}
        names |= {name.removesuffix(".json") for name in self.lake.store.list("commits")}
        facts = [key for key in keys_of(self.lake) if key.startswith("facts/")]
        assert {key.rpartition("/")[2].removesuffix(".parquet") for key in facts} <= names
        assert len(names) <= 3, "few are left"


TestMaintainedHistory = MaintainedHistory.TestCase
TestMaintainedHistory.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
