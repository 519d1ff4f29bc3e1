"""Who takes which shard of a run, where workers know nothing of each other but the lake.

A worker that wants a shard creates ``claims/RUN/SHARD.json``; the storage decides who was first. While it works it
renews the claim, and at the end puts into it what came of the shard, for whoever sums up. A claim that is not renewed
any more is taken over by anybody. Two workers on one shard are no harm, each fact counts once: claims save work and
are no locks, so a late renewal that undoes a takeover needs no guard.

Nobody compares clocks. Whether a claim is renewed is what somebody saw change while watching, by a clock of its own.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Literal

from storage.errors import StorageError
from storage.lake import Lake
from storage.store import json_bytes
from tasks.heartbeat import repeating
from tasks.planning.spec import from_plain, to_plain
from tasks.stages.shard_report import ShardReport

log = logging.getLogger(__name__)

_BEATS_PER_PATIENCE = 4
_ENDED, _PAUSED = "ended.json", "paused.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a worker says of a shard."""

    owner: str
    n_beats: int = 0
    """How often it was renewed."""
    report: ShardReport | None = None
    problem: str | None = None
    """Why it is lost."""

    @property
    def is_over(self) -> bool:
        """Whether the shard is done, or lost for this run."""
        return self.report is not None or self.problem is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A claim, and when it was last seen to change, in seconds of the watcher's own clock."""

    claim: Claim
    changed_s: float


Standing = Literal["free", "held", "abandoned", "over"]


def watch(before: Mapping[int, Watched], claims: Mapping[int, Claim], now_s: float) -> dict[int, Watched]:
    """Return what is known of the claims after a look at them."""
    return {
        shard: before[shard]
        if shard in before and before[shard].claim == claim
        else Watched(claim=claim, changed_s=now_s)
        for shard, claim in claims.items()
    }


def standing(watched: Watched | None, now_s: float, patience_s: float) -> Standing:
    """Return how a shard stands."""
    if watched is None:
        return "free"
    if watched.claim.is_over:
        return "over"
    return "abandoned" if now_s - watched.changed_s >= patience_s else "held"


def wanted(n_shards: int, known: Mapping[int, Watched], now_s: float, patience_s: float) -> list[int]:
    """Return the shards that may be taken, in the order of the plan: those that nobody has first."""
    standings = [standing(known.get(shard), now_s, patience_s) for shard in range(n_shards)]
    return [shard for kind in ("free", "abandoned") for shard in range(n_shards) if standings[shard] == kind]


class Claims:
    """The claims of one run, as one worker or the run itself deals with them."""

    def __init__(self, lake_url: str, run_id: str, n_shards: int, patience_s: float) -> None:
        """Look at nothing yet."""
        self._store = Lake(lake_url).store
        self._folder = f"claims/{run_id}"
        self._n_shards = n_shards
        self._patience_s = patience_s
        self._owner = uuid.uuid4().hex
        self._known: dict[int, Watched] = {}
        self.is_ended = False
        """Whether the run wants no more shards taken, as of the last look."""
        self.is_paused = False

    def look(self, now_s: float) -> Mapping[int, Watched]:
        """Return all claims, having read those that may have changed.

        Raises:
            StoreUnreachable: the storage failed.
        """
        names = set(self._store.list(self._folder))
        self.is_ended, self.is_paused = _ENDED in names, _PAUSED in names
        claims = {shard: known.claim for shard, known in self._known.items() if known.claim.is_over}
        for shard in range(self._n_shards):
            if shard not in claims and f"{shard}.json" in names:
                with suppress(FileNotFoundError):
                    claims[shard] = from_plain(Claim, self._store.read_json(self._key(shard)))
        self._known = watch(self._known, claims, now_s)
        return self._known

    def take(self, now_s: float) -> int | None:
        """Return a shard that is now this worker's; None where none can be had. To be called after ``look``."""
        for shard in wanted(self._n_shards, self._known, now_s, self._patience_s):
            mine = Claim(owner=self._owner)
            if shard not in self._known:
                if self._store.create(self._key(shard), json_bytes(to_plain(mine))):
                    return shard
            else:
                log.warning("shard %d: nothing was heard of its worker for %.0f s", shard + 1, self._patience_s)
                self._put(shard, mine)
                return shard
        return None

    @property
    def n_over(self) -> int:
        """Shards that are done or lost, as of the last look."""
        return sum(watched.claim.is_over for watched in self._known.values())

    @contextmanager
    def beating(self, shard: int) -> Iterator[None]:
        """Renew the claim until the block ends. Storage that fails for a while only makes it look abandoned."""
        beats = count(1)

        def beat() -> None:
            try:
                self._put(shard, Claim(owner=self._owner, n_beats=next(beats)))
            except StorageError as error:
                log.warning("%s", error)

        with repeating(beat, self._patience_s / _BEATS_PER_PATIENCE):
            yield

    def finish(self, shard: int, report: ShardReport) -> None:
        """Say what came of a shard."""
        self._put(shard, Claim(owner=self._owner, report=report))

    def lose(self, shard: int, problem: str) -> None:
        """Say why a shard is lost."""
        self._put(shard, Claim(owner=self._owner, problem=problem))

    def give_back(self, shard: int) -> None:
        """Leave a shard to others."""
        self._store.delete(self._key(shard))

    def pause(self, *, is_paused: bool) -> None:
        """Have workers begin no more shards, or begin again."""
        if is_paused:
            self._store.put_json(f"{self._folder}/{_PAUSED}", {})
        else:
            self._store.delete(f"{self._folder}/{_PAUSED}")

    def end(self) -> None:
        """Have workers begin no more shards, those that come late included, and leave only that behind."""
        self._store.put_json(f"{self._folder}/{_ENDED}", {})
        for name in self._store.list(self._folder):
            if name != _ENDED:
                self._store.delete(f"{self._folder}/{name}")

    def _put(self, shard: int, claim: Claim) -> None:
        self._store.put_json(self._key(shard), to_plain(claim))

    def _key(self, shard: int) -> str:
        return f"{self._folder}/{shard}.json"
