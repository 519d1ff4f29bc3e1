"""Who has to wait for whom: one run per lake, one shard per GPU, by global concurrency limits of Prefect.

The limits are made when they are first needed, and are seen and changed in the UI under *Concurrency*. Slots are
leased: a holder that dies gives its slot back within a minute or so. They save work and memory, and nothing depends on
them for being right. A server that was restarted forgets who had a slot, not that somebody did; where no holder gives a
sign of life, whoever waits gives it back. Without a server that stays there is nobody to wait for: nothing is asked.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from flows.holders import is_anybody_alive, is_first_to_notice, look, signing
from flows.temporary_server import is_temporary
from storage.addresses import absolute_url, public_url
from tasks.engines.devices import gpu_name
from tasks.reading.summary import archive_name, artifact_key

log = logging.getLogger(__name__)

_LEASE_S = 60
"""The shortest that Prefect grants; renewed all the time."""
_ASK_AGAIN_S = 3 * _LEASE_S
_WAITING = "Waiting for the lake"


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
            _rename_state("Running", _WAITING)
            _wait(slot, lake_limit(lake))
            _rename_state(_WAITING, "Running")
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
            _wait(slot, f"voxlake-gpu-{name}")
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
    slot.enter_context(signing(name))
    return True


def _wait(slot: ExitStack, name: str) -> None:
    """Take the slot when it is free; give it back for whoever had it and shows no sign of life any more."""
    from prefect.concurrency.sync import concurrency

    signs = look(name)
    while True:
        with suppress(TimeoutError):
            slot.enter_context(concurrency(name, timeout_seconds=_ASK_AGAIN_S, lease_duration=_LEASE_S))
            slot.enter_context(signing(name))
            return
        before, signs = signs, look(name)
        if not is_anybody_alive(before, signs) and is_first_to_notice(name, signs):
            log.warning("%s is not free although nobody works there; giving its slot back", name)
            _give_back(name)


def _give_back(name: str) -> None:
    """Have the server count one slot less: it has lost the lease with which its holder, or its end, would."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.release_concurrency_slots([name], slots=1, occupancy_seconds=_ASK_AGAIN_S)


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


def _rename_state(before: str, after: str) -> None:
    """Name the state of this flow run in the UI, unless a person has given it another meanwhile."""
    from uuid import UUID

    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run
    from prefect.states import Running

    if not flow_run.id:
        return
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(flow_run.id)).state
        if state is not None and state.name == before:
            client.set_flow_run_state(UUID(flow_run.id), Running(name=after), force=True)
