"""What a person who pauses or suspends a flow run means: begin no more shards, until told to go on.

Prefect only writes down the wish, and a flow has to look. *Paused*, the process stays and waits. *Suspended*, what the
button of the UI does, the process ends when the shards in flight are committed; resumed, the run starts anew on any
worker and finds in the lake what is left to do.
"""

from __future__ import annotations

import logging
import time
from typing import NoReturn

from prefect.client.orchestration import get_client
from prefect.exceptions import Pause
from prefect.runtime import flow_run

from flows.job import Suspended
from flows.slots import has_server
from tasks.steps import going_on_without_server

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 5.0
_LOOK_FOR_SERVER_EVERY_S = 300.0
"""Prefect's client takes a minute to give up, and shards wait for it."""


class Wish:
    """Looks now and then at the state of the flow run that it is used in."""

    def __init__(self) -> None:
        """Look at nothing yet."""
        self._next_look_s = time.monotonic() + _LOOK_EVERY_S
        self._is_paused = False
        self._id = flow_run.id if has_server() else None

    def is_paused(self) -> bool:
        """Return whether no more shards are to be begun now.

        Raises:
            Suspended: nor later, in this process.
        """
        if self._id is None or time.monotonic() < self._next_look_s:
            return self._is_paused
        self._next_look_s = time.monotonic() + _LOOK_EVERY_S
        state = None
        with going_on_without_server("ask whether to pause"), get_client(sync_client=True) as client:
            state = client.read_flow_run(self._id).state
        if state is None:
            self._next_look_s = time.monotonic() + _LOOK_FOR_SERVER_EVERY_S
        was_paused, self._is_paused = self._is_paused, state is not None and state.is_paused()
        if state is not None and self._is_paused and state.state_details.pause_reschedule:
            raise Suspended
        if was_paused != self._is_paused:
            log.info("paused: no more shards are begun" if self._is_paused else "resumed")
        return self._is_paused

    def wait(self) -> None:
        """Return when shards may be begun; raises as ``is_paused``."""
        while self.is_paused():
            time.sleep(1)


def leave() -> NoReturn:
    """End this process's part of a suspended flow run.

    Raises:
        Pause: which Prefect takes for what it is.
    """
    log.info("suspended: what was in flight is committed; resume the run to continue")
    with get_client(sync_client=True) as client:
        raise Pause(state=client.read_flow_run(flow_run.id).state)
