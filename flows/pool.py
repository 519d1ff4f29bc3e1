"""The runner ``pool``: shards of a run are taken by workers of a Prefect work pool, on any number of machines.

Not one flow run per shard is submitted but one per worker, and each pulls shards until none is left (``take_shards``):
a process, its imports and its models are paid for once. What came of each shard is read in the lake. Workers that
vanish are replaced, when nothing was heard of them, a few times in vain at most.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import cast
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from flows.job import ShardsTaken, Suspended, Tell, tell_lost
from flows.pausing import Wish
from flows.slots import has_server
from storage.errors import ConfigError
from tasks.planning.plan import RunPlan
from tasks.reading.summary import archive_name
from tasks.stages.claims import Claims, Watched, standing
from tasks.stages.shard_report import ShardReport

log = logging.getLogger(__name__)

_FLOW = "take_shards"
_LOOK_EVERY_S = 2.0
_MOST_ROUNDS_IN_VAIN = 3
_LONG_IN_QUEUE_S = 60.0
_PAGE = 200
"""Flow runs that Prefect tells of at once."""


def pool_deployment(pool: str) -> UUID:
    """Return the deployment of ``take_shards`` whose runs go to a work pool.

    Raises:
        ConfigError: there is no server that stays, or nothing is deployed to the pool.
    """
    if not has_server():
        raise ConfigError("runner 'pool'", "needs a Prefect server that stays", "start one and set PREFECT_API_URL")
    with get_client(sync_client=True) as client:
        found = client.read_deployments(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[_FLOW])),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        )
    if not found:
        raise ConfigError(f"work pool {pool!r}", f"no deployment of {_FLOW} goes there", "see docs/scheduling.md")
    return found[0].id


def take_in_pool(plan: RunPlan, deployment: UUID, tell: Tell) -> ShardsTaken:
    """Have workers of the pool take all shards, and return what came of them.

    Raises:
        StoreUnreachable: the lake cannot be read.
        Suspended: a person wants the run to end here; what was in flight is done.
    """
    claims = Claims(plan.spec.lake, plan.spec.run_id, len(plan.shards), plan.spec.claim_seconds)
    crew = _Crew(plan, deployment)
    wish = _PoolWish(claims)
    n_told = 0
    try:
        while True:
            known = claims.look(time.monotonic())
            if claims.n_over > n_told:
                n_told = claims.n_over
                tell(n_told, *_come_of(known))
            if n_told == len(plan.shards):
                return _sum_up(plan, known, "")
            wish.follow(plan, known)
            if wish.is_paused:
                crew.rest()
            elif not crew.is_at_work(known):
                return _sum_up(plan, known, crew.excuse)
            time.sleep(_LOOK_EVERY_S)
    finally:
        claims.end()


def _come_of(known: Mapping[int, Watched]) -> tuple[ShardReport, tuple[str, ...]]:
    """Return the sum of what is done, and why what is lost is lost."""
    claims = [one.claim for _, one in sorted(known.items())]
    work = sum((claim.report for claim in claims if claim.report is not None), ShardReport())
    return work, tuple(claim.problem for claim in claims if claim.report is None and claim.problem is not None)


def _sum_up(plan: RunPlan, known: Mapping[int, Watched], excuse: str) -> ShardsTaken:
    work, lost = ShardReport(), []
    for index in range(len(plan.shards)):
        claim = known[index].claim if index in known else None
        if claim is not None and claim.report is not None:
            work += claim.report
        else:
            problem = (claim.problem if claim is not None else None) or excuse
            lost.append(tell_lost(plan, index, problem))
    return ShardsTaken(work, tuple(lost))


class _PoolWish:
    """Passes on to the workers what a person wants of the run."""

    def __init__(self, claims: Claims) -> None:
        self._claims, self._wish = claims, Wish()
        self.is_paused = False
        self._is_suspended = False

    def follow(self, plan: RunPlan, known: Mapping[int, Watched]) -> None:
        """Pause the workers or let them go on; once suspended, wait for what is in flight.

        Raises:
            Suspended: it is done.
        """
        was_paused = self.is_paused
        try:
            self.is_paused = self._is_suspended or self._wish.is_paused()
        except Suspended:
            self.is_paused = self._is_suspended = True
        if was_paused != self.is_paused:
            self._claims.pause(is_paused=self.is_paused)
        if self._is_suspended and not _n_held(plan, known):
            raise Suspended


def _n_held(plan: RunPlan, known: Mapping[int, Watched]) -> int:
    now_s = time.monotonic()
    return sum(standing(one, now_s, plan.spec.claim_seconds) == "held" for one in known.values())


class _Crew:
    """The flow runs that take the shards of a run."""

    def __init__(self, plan: RunPlan, deployment: UUID) -> None:
        self._plan, self._deployment = plan, deployment
        self._ids: list[UUID] = []
        self._rounds_in_vain = 0
        self._n_over = 0
        self._news_s = time.monotonic()
        self._has_complained = False
        self.excuse = ""
        """Why nobody is at work any more."""

    def is_at_work(self, known: Mapping[int, Watched]) -> bool:
        """Return whether somebody is, or soon will be, having submitted more runs where that helps."""
        now_s = time.monotonic()
        n_over = sum(one.claim.is_over for one in known.values())
        if n_over > self._n_over:
            self._n_over, self._rounds_in_vain = n_over, 0
        self._news_s = max([self._news_s, *(one.changed_s for one in known.values())])
        runs = self._runs()
        kinds = Counter(_kind(run) for run in runs)
        is_silent = now_s - self._news_s > self._plan.spec.claim_seconds
        if kinds["waiting"]:
            self._complain(is_late=not kinds["running"] and now_s - self._news_s > _LONG_IN_QUEUE_S)
            return True
        if kinds["running"] and not is_silent:
            return True
        if self._rounds_in_vain == _MOST_ROUNDS_IN_VAIN:
            self.excuse = f"{self._rounds_in_vain} times its workers ended without doing it{_last_words(runs)}"
            return False
        self._submit(min(self._plan.spec.workers, len(self._plan.shards) - n_over))
        return True

    def rest(self) -> None:
        """Take it for no sign of trouble that nothing is heard now."""
        self._news_s = time.monotonic()

    def _submit(self, n_runs: int) -> None:
        self._rounds_in_vain += 1
        self._news_s = time.monotonic()
        spec = self._plan.spec
        for _ in range(n_runs):
            run = run_deployment(
                self._deployment,
                parameters={"lake": spec.lake, "run_id": spec.run_id},
                flow_run_name=f"{archive_name(spec.archive)} · worker {len(self._ids) + 1}",
                timeout=0,
            )
            self._ids.append(cast(FlowRun, run).id)
        log.info("%d runs of %s submitted to pool %s", n_runs, _FLOW, spec.pool)

    def _runs(self) -> list[FlowRun]:
        if not self._ids:
            return []
        with get_client(sync_client=True) as client:
            return client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=self._ids[-_PAGE:])))

    def _complain(self, *, is_late: bool) -> None:
        if is_late and not self._has_complained:
            self._has_complained = True
            log.warning("no worker of pool %s has begun; is one running, with a free slot?", self._plan.spec.pool)


def _kind(run: FlowRun) -> str:
    if run.state is None or run.state.is_scheduled() or run.state.is_pending():
        return "waiting"
    return "over" if run.state.is_final() else "running"


def _last_words(runs: list[FlowRun]) -> str:
    said = [run.state.message for run in runs if run.state and run.state.is_failed() and run.state.message]
    return f" ({said[-1]})" if said else ""
