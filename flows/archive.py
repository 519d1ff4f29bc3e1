"""Flow ``transcribe_archive``: an archive in, a queryable lake out.

It plans, has the shards of the plan transcribed, diarized and fingerprinted side by side, links the voices of the
whole lake and publishes it. The lake alone says what is done, so the flow may be stopped at any moment and run
again, here or elsewhere, with or without Prefect's database. With nothing to do it starts no task.
"""

from __future__ import annotations

import logging
from typing import Any, cast

from prefect import flow
from prefect.runtime import flow_run
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.job import ShardFuture, run_job, take_shards
from flows.settings import build_spec, load_settings
from storage.errors import ShardsLost
from tasks import steps
from tasks.planning.plan import RunPlan, read_plan
from tasks.planning.plan_apart import plan_apart
from tasks.reading.summary import RunSummary, archive_name, artifact_key, headline, plan_line, shard_title
from tasks.workers import hear_our_loggers, open_workers

log = logging.getLogger(__name__)


def _flow_run_name() -> str:
    parameters = flow_run.parameters
    return f"{archive_name(parameters['archive'])} → {archive_name(parameters['lake'])}"


@flow(
    name="transcribe_archive",
    flow_run_name=_flow_run_name,
    task_runner=cast(TaskRunner[Any], ThreadPoolTaskRunner()),
    persist_result=False,
    validate_parameters=True,
)
def transcribe_archive(  # noqa: PLR0913, PLR0917 - each is a field of the form in Prefect's UI
    archive: str,
    lake: str,
    profile: str | None = None,
    manifest: str | None = None,
    collection: str | None = None,
    language: str | None = None,
    workers: int | None = None,
    config: str | None = None,
    retry_failed: bool = False,
    run_id: str | None = None,
) -> RunSummary:
    """Turn an archive of recordings into diarized transcripts with the same speakers everywhere.

    Args:
        archive: Folder or fsspec URL with the recordings.
        lake: Folder or fsspec URL of the result; made if it is not there, continued if it is.
        profile: Named choice of engines; ``auto`` takes the best that can run here.
        manifest: File with hints on the recordings (CSV, JSONL, Parquet); found by itself at the archive's root.
        collection: What recordings belong to that the manifest says nothing of.
        language: ISO 639-1 code of recordings that the manifest says nothing of.
        workers: Worker processes; all usable processors by default.
        config: TOML file with settings.
        retry_failed: Also try again what failed for good before.
        run_id: A run whose plan is in the lake already; the other parameters but the lake are not read then.

    Raises:
        ConfigError: archive, manifest, lake, settings or an engine cannot be used.
        ShardsLost: some shards stayed undone; everything else is published.
    """
    hear_our_loggers()
    if run_id:
        plan = read_plan(lake, run_id)
    else:
        settings = load_settings(config, profile=profile, language=language, workers=workers)
        plan = plan_apart(
            build_spec(settings, archive, lake, manifest=manifest, collection=collection, retry_failed=retry_failed)
        )
    return _carry_out(plan)


def _carry_out(plan: RunPlan) -> RunSummary:
    spec, name, key = plan.spec, archive_name(plan.spec.archive), artifact_key(plan.spec.archive)
    log.info("%s", plan_line(plan))

    def submit(index: int) -> ShardFuture:
        title = shard_title(name, index, plan)
        return steps.transcribe_shard.submit(spec.lake, spec.run_id, index, title)

    with open_workers(spec.workers, spec.threads):
        summary = run_job(
            plan,
            take=lambda tell: take_shards(plan, submit, tell),
            link=steps.link,
            publish=steps.publish,
            show=steps.nothing_to_show if plan.is_current else steps.progress_of(key, name),
            runner="processes",
        )
    steps.show(summary, spec.lake, key)
    log.info("%s", headline(summary))
    if summary.lost:
        raise ShardsLost(name, "; ".join(summary.lost), "run again to continue")
    return summary
