"""What a run is asked to do: plain values that cross process borders as JSON."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from storage.addresses import public_url
from storage.records import ChannelMode
from tasks.attribution.attribute import AttributeOptions
from tasks.attribution.cutting import CutOptions
from tasks.audio.chunking import ChunkOptions
from tasks.engines.registry import EngineKind
from tasks.linking.local import LocalLinkOptions
from tasks.linking.speakers import LinkOptions
from tasks.stages.second_try import SecondTryOptions

Runner = Literal["processes", "pool", "dask"]
"""Who takes shards: worker processes of this machine, workers of a Prefect work pool, or a Dask cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """An engine by name, with its options."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One run over one archive into one lake."""

    run_id: str
    started_at: datetime
    archive: str
    lake: str
    profile: str
    detector: EngineChoice
    transcriber: EngineChoice
    diarizer: EngineChoice
    embedder: EngineChoice
    device: str = "auto"
    manifest: str | None = None
    """URL of the manifest file; None to look for one at the archive's root."""
    collection: str | None = None
    language: str | None = None
    channel_mode: ChannelMode = "auto"
    chunking: ChunkOptions = ChunkOptions()
    second_try: SecondTryOptions = SecondTryOptions()
    attribution: AttributeOptions = AttributeOptions()
    utterances: CutOptions = CutOptions()
    local_linking: LocalLinkOptions = LocalLinkOptions()
    linking: LinkOptions = LinkOptions()
    workers: int = 1
    """Worker processes that take shards side by side."""
    threads: int = 1
    """Threads that each worker's libraries may use."""
    shard_minutes: float | None = None
    """Audio in one shard; None to choose by the size of the work."""
    batch_minutes: float = 10.0
    """Audio that engines get at once, to choose pieces of similar length from."""
    commit_minutes: float = 20.0
    """Audio after which a shard commits what it has."""
    retry_failed: bool = False
    """Also try again what failed for good before."""
    runner: Runner = "processes"
    pool: str | None = None
    """Work pool that takes shards; None where none does."""
    dask_address: str | None = None
    """Scheduler of a Dask cluster; None for one of this machine."""
    claim_seconds: float = 120.0
    """Without a sign of life for so long, a shard that somebody took in a work pool is anybody's again."""
    timeout_factor: float | None = 20.0
    """A worker is taken to hang after so many times the length of its audio, and ``timeout_minutes``; None: never."""
    timeout_minutes: float = 10.0

    def choice(self, kind: EngineKind) -> EngineChoice:
        """Return the chosen engine of a kind."""
        chosen: EngineChoice = getattr(self, kind)
        return chosen


def archive_key(spec: RunSpec) -> str:
    """Return how the lake calls the archive: its URL without credentials."""
    return public_url(spec.archive)


def to_plain(value: Any) -> Any:
    """Return records, times and tuples as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: Any, value: Any) -> Any:
    """Return what ``to_plain`` was given, told its type."""
    if isinstance(kind, types.UnionType):
        members = [member for member in typing.get_args(kind) if member is not type(None)]
        return None if value is None else from_plain(members[0], value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = _field_types(kind)
        return kind(**{name: from_plain(hints[name], item) for name, item in value.items()})
    if kind is datetime:
        return datetime.fromisoformat(value)
    if typing.get_origin(kind) is tuple:
        return tuple(from_plain(typing.get_args(kind)[0], item) for item in value)
    return value


@lru_cache
def _field_types(kind: type) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)
