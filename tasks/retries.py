"""How often, and after what pauses, a call that may succeed later is made again; the same with and without Prefect."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from storage.errors import VoxlakeError, is_transient
from tasks.about import logger

P = ParamSpec("P")
T = TypeVar("T")

RETRY_DELAYS_S = (1.0, 10.0)
"""Pauses before the second and third attempt, each give or take a share of it."""
JITTER = 0.3
"""That share: who failed together does not come back together."""

log = logger(__name__)

_chance = random.SystemRandom()


def call_patiently(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the function, again after each pause while its error is transient; raise the last error."""
    for delay_s in RETRY_DELAYS_S:
        try:
            return function(*args, **kwargs)
        except (VoxlakeError, TimeoutError, ConnectionError) as error:
            if not is_transient(error):
                raise
            log.warning("%s; again in %.0f s", error, delay_s)
        time.sleep(delay_s * _chance.uniform(1 - JITTER, 1 + JITTER))
    return function(*args, **kwargs)
