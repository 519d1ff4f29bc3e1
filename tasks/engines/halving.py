"""Go on with half a batch when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from storage.errors import EngineOutOfMemory
from tasks.engines.devices import free_memory

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_halves(call: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]) -> list[Result]:
    """Return what ``call`` gives for all items, in as many parts as memory needs.

    Raises:
        EngineOutOfMemory: a single item does not fit.
    """
    try:
        return list(call(items))
    except EngineOutOfMemory:
        if len(items) == 1:
            raise
    free_memory()  # out here, because the error above held what the failed call had taken
    half = len(items) // 2
    return [*in_halves(call, items[:half]), *in_halves(call, items[half:])]
