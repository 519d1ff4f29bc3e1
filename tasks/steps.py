"""Every Prefect task of the project: what it is called and when it is tried again. One screen of policy.

Nothing is cached and nothing persisted: what is done is what the lake says is committed. Steps take URLs and numbers
and return counts. They carry no tags: before a tagged task Prefect asks the server for the tags' limits, and a busy
SQLite server answers that with 503 and two seconds' wait.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict, cast
from uuid import UUID

from httpx import HTTPError
from prefect import Task, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import ObjectNotFound

from storage.errors import is_transient
from tasks.evaluation.evaluate import SpeakerNames, evaluate_lake
from tasks.evaluation.gate import GateReport, Limits, broken
from tasks.evaluation.report import evaluation_line, evaluation_page, gaps, scope_rows
from tasks.linking.lake import LinkReport, link_lake
from tasks.linking.telling import link_page
from tasks.maintenance.maintain import MaintainReport, maintain_lake
from tasks.maintenance.telling import maintenance_line, maintenance_page
from tasks.publishing.publish import PublishReport, publish_lake
from tasks.reading.progress import Progress, progress_line
from tasks.reading.progress_page import progress_page
from tasks.reading.summary import MOST_ROWS, RunSummary, artifact_key, headline
from tasks.reading.summary_page import failure_rows, recording_rows, summary_page
from tasks.reading.telling import link_line
from tasks.reading.watch import Show
from tasks.retries import JITTER, RETRY_DELAYS_S
from tasks.stages.shard_report import ShardReport
from tasks.stages.take_shard import take_shard
from tasks.wording import counted

log = logging.getLogger(__name__)


SERVER_GONE = (HTTPError, ObjectNotFound)
"""Errors of a server that does not answer, or that knows nothing of the run any more."""


@contextmanager
def going_on_without_server(what: str) -> Iterator[None]:
    """Do something beside the work; where the server is gone, say so and go on: the lake has everything."""
    try:
        yield
    except SERVER_GONE as problem:
        log.warning("could not %s, for the Prefect server is gone (%s); the work goes on", what, problem)


def _may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether the same call may succeed later."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, BaseException) and is_transient(error)


class _Policy(TypedDict):
    retries: int
    retry_delay_seconds: list[float]
    retry_jitter_factor: float
    retry_condition_fn: Any
    cache_policy: Any
    persist_result: bool


_POLICY: _Policy = {
    "retries": len(RETRY_DELAYS_S),
    "retry_delay_seconds": list(RETRY_DELAYS_S),
    "retry_jitter_factor": JITTER,
    "retry_condition_fn": _may_pass,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


def _transcribe_shard(
    lake: str,
    run_id: str,
    shard_index: int,
    title: str,  # noqa: ARG001 - the name
    most_s: float | None,
) -> ShardReport:
    """Take one shard of a run's plan through its stages and commit its facts."""
    return take_shard(lake, run_id, shard_index, most_s)


def _link(lake: str, run_id: str) -> LinkReport:
    """Find the same voices across all recordings of the lake."""
    report = link_lake(lake, run_id)
    with going_on_without_server("show the speakers"):
        create_markdown_artifact(
            link_page(lake, report),
            key=f"{artifact_key(lake)}-speakers",
            description=link_line(report),
        )
    return report


def _publish(lake: str, run_id: str, link: LinkReport) -> PublishReport:
    """Make what is committed and linked the tables that people query."""
    return publish_lake(lake, run_id, link)


def _evaluate(lake: str, references: str, uem: str | None, names: SpeakerNames, limits: Limits) -> GateReport:
    """Compare a lake with references and show what came of it."""
    found = evaluate_lake(lake, references, uem_url=uem, names=names)
    lines = broken(limits, found.figures, len(found.missing))
    key = f"{artifact_key(lake)}-evaluation"
    create_markdown_artifact(evaluation_page(found, lines), key=key, description=evaluation_line(found))
    create_table_artifact(
        scope_rows(found, "recording")[:MOST_ROWS],
        key=f"{key}-recordings",
        description=f"Up to {MOST_ROWS} of {len(found.recordings)} recordings with references.",
    )
    for line in gaps(found):
        get_run_logger().warning(line)
    return GateReport(n_recordings=len(found.recordings), n_missing=len(found.missing), broken=lines)


def _maintain(lake: str, grace_days: float, *, is_dry_run: bool) -> MaintainReport:
    """Put many small files together and delete what nobody reads any more."""
    report = maintain_lake(lake, grace_days=grace_days, is_dry_run=is_dry_run)
    line = maintenance_line(report)
    create_markdown_artifact(maintenance_page(lake, report), key=f"{artifact_key(lake)}-maintenance", description=line)
    get_run_logger().info(line)
    return report


transcribe_shard = task(name="transcribe shard", task_run_name="{title}", **_POLICY)(_transcribe_shard)

link = task(name="link", task_run_name="link speakers", **_POLICY)(_link)

# A lost race needs another link first, so the flow decides; waiting would not help.
publish = task(name="publish", task_run_name="publish lake", cache_policy=NO_CACHE, persist_result=False)(_publish)


evaluate = task(name="evaluate", task_run_name="evaluate lake", **_POLICY)(_evaluate)

maintain = task(name="maintain", task_run_name="maintain lake", **_POLICY)(_maintain)


def show(summary: RunSummary, lake: str, key: str) -> None:
    """Leave the summary, the recordings and the failures as artifacts of the flow run."""
    create_markdown_artifact(summary_page(summary), key=f"{key}-summary", description=headline(summary))
    create_table_artifact(
        recording_rows(lake, summary.archive),
        key=f"{key}-recordings",
        description=f"Up to {MOST_ROWS} recordings; the lake has all of them.",
    )
    create_table_artifact(
        failure_rows(summary),
        key=f"{key}-failures",
        description=f"{counted(len(summary.failed), 'recording')} failed, now or earlier; up to {MOST_ROWS} rows.",
    )


def progress_of(key: str) -> Show:
    """Return what leaves a page and a progress bar with this flow run, and renews them while it goes."""
    ids: list[UUID] = []

    def renew(progress: Progress) -> None:
        line, page = progress_line(progress), progress_page(progress)
        if not ids:
            made = (
                create_markdown_artifact(page, key=f"{key}-run", description=line),
                create_progress_artifact(progress.percent, key=f"{key}-progress", description=line),
            )
            ids[:] = cast(tuple[UUID, UUID], made)  # nobody awaits them here
            return
        with get_client(sync_client=True) as client:
            client.update_artifact(ids[0], ArtifactUpdate(data=page, description=line))
            client.update_artifact(ids[1], ArtifactUpdate(data=progress.percent, description=line))

    return renew
