"""Start the main job from the command line: with Prefect or without, and with neither where there is nothing to do."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from flows.cli_output import say

if TYPE_CHECKING:
    from flows.settings import Settings
    from tasks.planning.plan import RunPlan
    from tasks.reading.summary import RunSummary


def plan_here(settings: Settings, archive: str, lake: str, **chosen: Any) -> RunPlan:
    """Return the plan of a new run, saying which engines do it and what there is to do.

    Raises:
        ConfigError: archive, manifest, lake, settings or an engine cannot be used.
    """
    from flows.profiles import resolve_profile
    from flows.settings import build_spec
    from tasks.planning.plan_apart import plan_apart
    from tasks.reading.summary import plan_line

    say(resolve_profile(settings.profile).reason)
    plan = plan_apart(build_spec(settings, archive, lake, **chosen))
    say(plan_line(plan))
    return plan


def launch(plan: RunPlan, *, is_local: bool) -> RunSummary:
    """Do what the plan says. No server of Prefect's is started only to say that there is nothing to do.

    Raises:
        ConfigError: an engine cannot be loaded.
        StorageError: the lake cannot be read or written.
        ShardsLost: some shards stayed undone, and Prefect knows.
        VoxlakeError: the Prefect server went away.
    """
    from flows.local import run_planned
    from tasks.workers import hear_our_loggers

    if is_local or (plan.is_current and not os.environ.get("PREFECT_API_URL")):
        _log_to_stderr()
        hear_our_loggers()
        return run_planned(plan)
    return _through_prefect(plan)


def _through_prefect(plan: RunPlan) -> RunSummary:
    """Call the flow; workers load their engines while Prefect starts."""
    from flows.planned import handing_over
    from flows.profiles import uses_gpu
    from flows.slots import gpu_slot
    from flows.temporary_server import some_server
    from storage.addresses import public_url
    from storage.errors import VoxlakeError
    from tasks.planning.plan import engines_needed
    from tasks.stages.engine_set import load_engines
    from tasks.workers import open_workers

    spec = plan.spec
    with open_workers(spec.workers, spec.threads, gpu_slot if uses_gpu(spec) else nullcontext) as workers:
        if spec.runner == "processes":
            workers.warm_up(load_engines, spec, engines_needed(plan.shards))
        with some_server(_load_flow), handing_over(plan):
            from flows.archive import transcribe_archive
            from tasks.steps import SERVER_GONE

            try:
                return transcribe_archive(public_url(spec.archive), spec.lake, run_id=spec.run_id)
            except SERVER_GONE as cause:
                told = "what is done is in the lake; run again to do the rest, if there is any"
                raise VoxlakeError("Prefect server", f"went away ({cause})", told) from cause


def _load_flow() -> None:
    """Import the flow, which takes as long as a server to start."""
    import flows.archive  # noqa: F401


def _log_to_stderr() -> None:
    import logging

    logging.basicConfig(format="%(asctime)s | %(message)s", datefmt="%H:%M:%S")
