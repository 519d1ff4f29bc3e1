"""Flow ``take_shards``: one worker of a work pool takes shards of a run, one after the other, until none is left.

Runs of it are submitted by ``transcribe_archive`` with the runner ``pool``; a worker needs to reach the lake and the
archive, and nothing else of the run. It loads its engines once. Which shard is whose is settled in the lake, so a run
that starts late helps, and one that is killed costs the batch it had not committed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import nullcontext

from prefect import flow

from flows.forms import LakeAddress, RunId
from flows.job import in_words
from flows.profiles import uses_gpu
from flows.slots import gpu_slot
from storage.errors import ConfigError
from tasks import steps
from tasks.planning.plan import RunPlan
from tasks.planning.plan_files import read_plan
from tasks.planning.timeouts import timeout_s
from tasks.reading.summary import archive_name, shard_title
from tasks.stages.claims import Claims
from tasks.workers import hear_our_loggers, open_workers

log = logging.getLogger(__name__)

_LOOKS_PER_PATIENCE = 8
_LONGEST_PAUSE_S = 5.0


@flow(name="take_shards", persist_result=False)
def take_shards(lake: LakeAddress, run_id: RunId) -> int:
    """Take shards of a run that is under way; return how many.

    Raises:
        ConfigError: there is no such run, or an engine cannot be loaded here; its shard is left to others.
        StorageError: the lake cannot be read.
    """
    hear_our_loggers()
    plan = read_plan(lake, run_id)
    claims = Claims(lake, run_id, len(plan.shards), plan.spec.claim_seconds)
    n_taken = 0
    with open_workers(1, plan.spec.threads, gpu_slot if uses_gpu(plan.spec) else nullcontext):
        for index in _claimed(plan, claims):
            _take(lake, plan, claims, index)
            n_taken += 1
    return n_taken


def _claimed(plan: RunPlan, claims: Claims) -> Iterator[int]:
    """Yield shards that are this worker's, until all are done; stay as long as another's may have to be taken over."""
    pause_s = min(_LONGEST_PAUSE_S, plan.spec.claim_seconds / _LOOKS_PER_PATIENCE)
    while True:
        claims.look(time.monotonic())
        if claims.is_ended or claims.n_over == len(plan.shards):
            return
        index = None if claims.is_paused else claims.take(time.monotonic())
        if index is None:
            time.sleep(pause_s)
        else:
            yield index


def _take(lake: str, plan: RunPlan, claims: Claims, index: int) -> None:
    title = shard_title(archive_name(plan.spec.archive), index, plan)
    most_s = timeout_s(plan.spec, plan.shards[index].recordings)
    try:
        with claims.beating(index):
            report = steps.transcribe_shard(lake, plan.spec.run_id, index, title, most_s)
    except ConfigError:
        claims.give_back(index)
        raise
    except Exception as error:
        log.exception("%s is lost", title)
        claims.lose(index, in_words(error))
    else:
        claims.finish(index, report)
