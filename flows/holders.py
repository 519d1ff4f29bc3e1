"""Who holds a slot, by a sign of life: a label of the holder's flow run that is renewed as long as it holds it.

A flow run that was killed stays *Running* in Prefect, and a server that was restarted counts slots that it cannot
tell the holders of any more. So neither is believed. Whoever has a slot writes each minute what time it is into a label
of its flow run that is named as the limit; whoever waits for the slot looks whether any such label changes. Who waits
writes none, so two who wait are not taken for holders by each other, and no clocks are compared. Who is about to give a
slot back writes one and looks once more: of several who wait only one does, and not what another has just taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from tasks.heartbeat import repeating

_RENEW_S = 60.0

Signs = Mapping[str, object]
"""The latest sign of everybody who has held a slot, by the ID of the flow run."""


def is_anybody_alive(before: Signs, now: Signs) -> bool:
    """Return whether somebody has given a sign between two looks."""
    return any(before.get(run) != sign for run, sign in now.items())


def is_first_to_notice(limit: str, before: Signs) -> bool:
    """Return whether nobody else has given a sign since a look, after giving one of one's own.

    Of two who call this at the same moment each may see the other: then neither is first.
    """
    from prefect.runtime import flow_run

    if flow_run.id:
        _sign(flow_run.id, limit)
    others = {run: sign for run, sign in look(limit).items() if run != flow_run.id}
    return not is_anybody_alive(before, others)


@contextmanager
def signing(limit: str) -> Iterator[None]:
    """Show until the block ends that this flow run holds a slot. Outside of flow runs nothing is shown."""
    from prefect.runtime import flow_run

    if not flow_run.id:
        yield
        return
    _sign(flow_run.id, limit)
    with repeating(partial(_sign, flow_run.id, limit), _RENEW_S):
        yield


def _sign(run_id: str, limit: str) -> None:
    from uuid import UUID

    from prefect.client.orchestration import get_client

    from tasks.steps import going_on_without_server

    with going_on_without_server("show that a slot is held"), get_client(sync_client=True) as client:
        client.update_flow_run_labels(UUID(run_id), {limit: datetime.now(UTC).isoformat()})


def look(limit: str) -> Signs:
    """Return the signs of all flow runs that have not ended, as far as Prefect knows."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    begun = [StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING]
    is_begun = filters.FlowRunFilter(state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=begun)))
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=is_begun, sort=FlowRunSort.START_TIME_DESC)
    return {str(run.id): run.labels[limit] for run in found if limit in run.labels}
