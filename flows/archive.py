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

from flows import forms, pausing
from flows.job import Suspended, run_job
from flows.planned import planned
from flows.runners import open_runner
from flows.settings import build_spec, load_settings
from flows.slots import lake_slot
from storage.errors import ShardsLost
from tasks import steps
from tasks.planning.plan import RunPlan
from tasks.planning.plan_apart import plan_apart
from tasks.reading.summary import RunSummary, archive_name, artifact_key, headline, plan_line
from tasks.workers import hear_our_loggers

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
    archive: forms.ArchiveAddress,
    lake: forms.LakeAddress,
    profile: forms.Profile = None,
    manifest: forms.ManifestAddress = None,
    collection: forms.Collection = None,
    language: forms.Language = None,
    workers: forms.Workers = None,
    runner: forms.RunnerName = None,
    pool: forms.PoolName = None,
    dask_address: forms.DaskAddress = None,
    config: forms.SettingsFile = None,
    retry_failed: forms.RetryFailed = False,
    run_id: forms.PlannedRunId = None,
) -> RunSummary:
    """Turn an archive of recordings into diarized transcripts with the same speakers everywhere.

    Where another run works on the lake, it waits. What each parameter means, its form says (``flows.forms``).

    Raises:
        ConfigError: archive, manifest, lake, settings, an engine or the runner cannot be used.
        ShardsLost: some shards stayed undone; everything else is published.
    """
    hear_our_loggers()
    with lake_slot(lake) as has_waited:
        if run_id:
            plan = planned(lake, run_id)
            if has_waited:
                plan = plan_apart(plan.spec)  # what the other run did need not be done
        else:
            settings = load_settings(
                config,
                profile=profile,
                language=language,
                workers=workers,
                runner=runner,
                pool=pool,
                dask_address=dask_address,
            )
            plan = plan_apart(
                build_spec(settings, archive, lake, manifest=manifest, collection=collection, retry_failed=retry_failed)
            )
        try:
            return _carry_out(plan)
        except Suspended:
            pausing.leave()


def _carry_out(plan: RunPlan) -> RunSummary:
    spec, name, key = plan.spec, archive_name(plan.spec.archive), artifact_key(plan.spec.archive)
    log.info("%s", plan_line(plan))
    with open_runner(plan) as take:
        summary = run_job(
            plan,
            take=take,
            link=steps.link,
            publish=steps.publish,
            show=steps.progress_of(key),
            runner=spec.runner,
        )
    with steps.going_on_without_server("show what came of the run"):
        steps.show(summary, spec.lake, key)
    log.info("%s", headline(summary))
    if summary.lost:
        raise ShardsLost(name, "; ".join(summary.lost), "run again to continue")
    return summary
