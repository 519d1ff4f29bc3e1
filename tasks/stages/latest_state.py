"""What a worker knows of the lake: read once as a whole, then only what was committed since."""

from __future__ import annotations

from storage.lake import Lake
from storage.lake_records import LakeState

_latest: dict[str, LakeState] = {}
"""Of the one lake that this process works for."""


def latest_state(lake: Lake) -> LakeState:
    """Return the lake's state. A worker takes many shards, and a large lake takes seconds to read."""
    state = lake.state(before=_latest.get(lake.url))
    _latest.clear()
    _latest[lake.url] = state
    return state
