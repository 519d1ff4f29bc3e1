"""What a worker knows of the lake: read once as a whole, then only what was committed since."""

from __future__ import annotations

import threading

from storage.lake import Lake
from storage.lake_records import LakeState


class _Latest(threading.local):
    """Of the one lake that this thread works for."""

    state: LakeState | None = None
    url = ""


_latest = _Latest()


def latest_state(lake: Lake) -> LakeState:
    """Return the lake's state, which is good until the next call of this thread.

    A worker takes many shards, and a large lake takes seconds to read, so that one state grows into the next.
    """
    before = _latest.state if _latest.url == lake.url else None
    _latest.state = None  # should reading fail halfway, nobody goes on with it
    state = lake.state(before=before, is_compact=True)
    _latest.state, _latest.url = state, lake.url
    return state
