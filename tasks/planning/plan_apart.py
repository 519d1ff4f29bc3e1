"""Plan a run with headers read in a worker process: a file that breaks libav at its header costs only its length."""

from __future__ import annotations

from tasks.planning.plan import RunPlan, plan_run
from tasks.planning.spec import RunSpec
from tasks.workers import open_workers


def plan_apart(spec: RunSpec) -> RunPlan:
    """Return the plan of a run, as ``plan_run`` does and raises; no stranger's bytes are looked at in this process."""
    with open_workers(1, spec.threads):
        return plan_run(spec)
