"""Who has to wait for whom: one run per lake, one shard per GPU, by global concurrency limits of Prefect.

The limits are made when they are first needed, and are seen and changed in the UI under *Concurrency*. Slots are
leased: a holder that dies gives its slot back within a minute or so. They save work and memory, and nothing depends on
them for being right: where a slot stays taken although nobody works (a server that was restarted forgets who had it),
it is not waited for. Without a server that stays there is nobody to wait for, and nothing is asked.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from flows.temporary_server import is_temporary
from storage.addresses import absolute_url, public_url
from tasks.engines.devices import gpu_name
from tasks.reading.standing import is_worked_on
from tasks.reading.summary import archive_name, artifact_key

log = logging.getLogger(__name__)

_LEASE_S = 60
"""The shortest that Prefect grants; renewed all the time."""
_ASK_AGAIN_S = 3 * _LEASE_S
_WAITING = "Waiting for the lake"
_FLOWS = ("transcribe_archive", "link_speakers", "publish_lake", "maintain_lake")
"""Whoever works on a lake is a run of one of these."""


def has_server() -> bool:
    """Return whether flows report to a server that stays."""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url is not None and not is_temporary()


def lake_limit(lake: str) -> str:
    """Return the name of the limit of a lake: readable, and another for every address."""
    address = public_url(absolute_url(lake))
    return f"voxlake-lake-{artifact_key(address)}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"


@contextmanager
def lake_slot(lake: str) -> Iterator[bool]:
    """Be the only flow run that changes the lake; yield whether others had to be waited for."""
    if not has_server():
        yield False
        return
    with _slot() as slot:
        has_waited = not _taken_at_once(slot, lake_limit(lake))
        if has_waited:
            log.info("another run works on lake %s; waiting for it (%s)", archive_name(lake), lake_limit(lake))
            _show_running(_WAITING)
            _wait(slot, lake_limit(lake), lambda: _somebody_works_on(lake))
            _show_running("Running")
        yield has_waited


@contextmanager
def gpu_slot(worker_number: int) -> Iterator[None]:
    """Have the GPU of a worker to oneself; no server is asked where there is no GPU."""
    name = gpu_name(worker_number)
    if name is None or not has_server():
        yield
        return
    with _slot() as slot:
        if not _taken_at_once(slot, f"voxlake-gpu-{name}"):
            log.info("the GPU is busy with another shard; waiting for it (voxlake-gpu-%s)", name)
            _wait(slot, f"voxlake-gpu-{name}", _somebody_works)
        yield


@contextmanager
def _slot() -> Iterator[ExitStack]:
    """Yield what holds a slot, and give it back; a server that is gone by then costs nothing."""
    from tasks.steps import going_on_without_server

    slot = ExitStack()
    try:
        yield slot
    finally:
        with going_on_without_server("give a slot back"):
            slot.close()


def _taken_at_once(slot: ExitStack, name: str) -> bool:
    """Take the slot if it is free; say whether it was."""
    from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
    from prefect.concurrency.sync import concurrency

    _ensure(name)
    try:
        slot.enter_context(concurrency(name, max_retries=0, lease_duration=_LEASE_S))
    except ConcurrencySlotAcquisitionError:
        return False
    return True


def _wait(slot: ExitStack, name: str, may_be_held: Callable[[], bool]) -> None:
    """Take the slot when it is free, or go on without it when nobody can have it."""
    from prefect.concurrency.sync import concurrency

    while True:
        with suppress(TimeoutError):
            slot.enter_context(concurrency(name, timeout_seconds=_ASK_AGAIN_S, lease_duration=_LEASE_S))
            return
        if not may_be_held():
            log.warning("%s is not free although nobody works there; going on", name)
            return


def _somebody_works_on(lake: str) -> bool:
    """Return whether another flow run that works on the lake is under way.

    Of the main job the lake knows that better: a run that was killed stays *Running* in Prefect for ever.
    """
    others = [one for one in _others(_FLOWS) if lake_limit(str(one["lake"])) == lake_limit(lake)]
    return any("archive" not in one for one in others) or (bool(others) and is_worked_on(lake))


def _somebody_works() -> bool:
    """Return whether another flow run that may hold a GPU is under way."""
    return any(True for _ in _others((*_FLOWS, "take_shards")))


def _others(flows: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the parameters of the runs of some flows that are under way, but for this one."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.runtime import flow_run

    running = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.RUNNING]))
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_filter=filters.FlowFilter(name=filters.FlowFilterName(any_=list(flows))),
            flow_run_filter=filters.FlowRunFilter(state=running),
        )
    for run in found:
        if str(run.id) != flow_run.id and run.state_name != _WAITING:
            yield run.parameters


def _ensure(name: str) -> None:
    """Make the limit if nobody did; what a person changed stays as it is."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            with suppress(ObjectAlreadyExists):  # somebody was faster
                client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))


def _show_running(name: str) -> None:
    """Name the state of this flow run in the UI."""
    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run
    from prefect.states import Running

    if flow_run.id:
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(flow_run.id, Running(name=name), force=True)
