"""The plan of a run on its way from the command line to the flow: they are one process, and a plan may be large."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tasks.planning.plan import RunPlan
from tasks.planning.plan_files import read_plan

_PLAN: ContextVar[RunPlan | None] = ContextVar("voxlake_plan", default=None)


@contextmanager
def handing_over(plan: RunPlan) -> Iterator[None]:
    """Have flows that are called in this block find the plan by its run, though it is not written yet."""
    token = _PLAN.set(plan)
    try:
        yield
    finally:
        _PLAN.reset(token)


def planned(lake: str, run_id: str) -> RunPlan:
    """Return the plan of a run, from whoever called or from the lake; raises as ``read_plan``."""
    plan = _PLAN.get()
    return plan if plan is not None and plan.spec.run_id == run_id else read_plan(lake, run_id)
