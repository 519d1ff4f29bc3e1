"""Claims: each shard is somebody's, nobody's for long, and done in the end, whoever dies."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tasks.stages.claims import Claim, Claims, Watched, standing, wanted, watch
from tasks.stages.shard_report import ShardReport

REPORT = ShardReport(n_recordings=2, stage_ms={"probe": 3})
claims_of_shards = st.dictionaries(
    st.integers(0, 9),
    st.builds(
        Claim,
        owner=st.sampled_from("abc"),
        n_beats=st.integers(0, 2),
        report=st.sampled_from([None, REPORT]),
        problem=st.sampled_from([None, "is gone"]),
    ),
)
moments = st.lists(st.tuples(st.floats(0.1, 50), claims_of_shards), max_size=6)


@given(moments=moments, patience_s=st.floats(1, 60))
def test_a_shard_is_taken_over_only_after_its_claim_stood_still_for_the_whole_patience(moments, patience_s):
    known, now_s, history = {}, 0.0, []
    for passed_s, claims in moments:
        now_s += passed_s
        known = watch(known, claims, now_s)
        history.append((now_s, claims))
    for shard in {*wanted(10, known, now_s, patience_s)} & {*known}:
        claim = known[shard].claim
        still = itertools.takewhile(lambda seen, one=(shard, claim): seen[1].get(one[0]) == one[1], reversed(history))
        assert now_s - [seen_s for seen_s, _ in still][-1] >= patience_s
        assert not claim.is_over


@given(claims=claims_of_shards, since_s=st.floats(0, 100), patience_s=st.floats(1, 60))
def test_every_shard_has_one_standing_and_what_nobody_has_comes_first(claims, since_s, patience_s):
    known = {shard: Watched(claim=claim, changed_s=0.0) for shard, claim in claims.items()}
    found = {shard: standing(known.get(shard), since_s, patience_s) for shard in range(10)}
    assert all((found[shard] == "over") == claim.is_over for shard, claim in claims.items())
    order = wanted(10, known, since_s, patience_s)
    assert {*order} == {shard for shard, kind in found.items() if kind in {"free", "abandoned"}}
    assert order == sorted(order, key=lambda shard: (found[shard] == "abandoned", shard))


def desks(lake, n, n_shards=3, patience_s=60.0):
    return [Claims(str(lake), "run", n_shards, patience_s) for _ in range(n)]


def look_and_take(desk, now_s):
    desk.look(now_s)
    return desk.take(now_s)


def test_no_two_workers_begin_the_same_shard(tmp_path):
    one, other = desks(tmp_path, 2)
    one.look(0)
    other.look(0)
    assert [one.take(0), other.take(0), look_and_take(one, 0)] == [0, 1, 2]
    assert look_and_take(other, 0) is None


def test_what_came_of_a_shard_is_read_by_others(tmp_path):
    one, other = desks(tmp_path, 2)
    for _ in range(3):
        look_and_take(one, 0)
    one.finish(0, REPORT)
    one.lose(1, "lake: is gone")
    one.give_back(2)
    known = other.look(0)
    assert (known[0].claim.report, known[1].claim.problem, other.n_over) == (REPORT, "lake: is gone", 2)
    assert other.take(0) == 2


def test_a_claim_that_nobody_renews_is_taken_over_and_one_that_beats_is_not(tmp_path):
    one, other = desks(tmp_path, 2, n_shards=1, patience_s=0.2)
    assert look_and_take(one, 0) == 0
    with one.beating(0):
        other.look(0)
        seen = {other.look(0)[0].claim.n_beats}
        while len(seen) < 3:
            seen.add(other.look(0)[0].claim.n_beats)
        assert look_and_take(other, 0.1) is None
    assert look_and_take(other, 100) == 0


def test_paused_and_ended_are_seen(tmp_path):
    one, other = desks(tmp_path, 2)
    look_and_take(one, 0)
    one.pause(is_paused=True)
    other.look(0)
    assert (other.is_paused, other.is_ended) == (True, False)
    one.pause(is_paused=False)
    other.look(0)
    assert not other.is_paused
    one.end()
    other.look(0)
    assert other.is_ended
    assert [file.name for file in (tmp_path / "claims" / "run").iterdir()] == ["ended.json"]
