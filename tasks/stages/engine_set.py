"""The engines of a run, loaded at first use and once per process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, cast

from storage.store import json_bytes
from tasks.engines import registry
from tasks.engines.base import Detector, Diarizer, Embedder, Transcriber
from tasks.engines.devices import pick_device
from tasks.engines.registry import EngineKind
from tasks.planning.spec import EngineChoice, RunSpec, from_plain, to_plain


class EngineSet:
    """Four engines; touching one loads it."""

    def __init__(self, spec: RunSpec) -> None:
        """Remember the choice; nothing is loaded yet."""
        self._spec = spec

    @cached_property
    def detector(self) -> Detector:
        """The speech detector."""
        return cast(Detector, self._load("detector"))

    @cached_property
    def transcriber(self) -> Transcriber:
        """The speech recogniser."""
        return cast(Transcriber, self._load("transcriber"))

    @cached_property
    def diarizer(self) -> Diarizer:
        """The diarizer."""
        return cast(Diarizer, self._load("diarizer"))

    @cached_property
    def embedder(self) -> Embedder:
        """The maker of fingerprints."""
        return cast(Embedder, self._load("embedder"))

    def _load(self, kind: EngineKind) -> Any:
        return _engine(kind, json_bytes(to_plain(self._spec.choice(kind))), self._spec.device)


def load_engines(spec: RunSpec, kinds: Sequence[EngineKind]) -> None:
    """Load engines of these kinds, so that the first shard of this process finds them ready."""
    engines = EngineSet(spec)
    for kind in kinds:
        getattr(engines, kind)


@lru_cache(maxsize=8)
def _engine(kind: EngineKind, choice_json: bytes, device: str) -> object:
    choice: EngineChoice = from_plain(EngineChoice, json.loads(choice_json))
    return registry.find(kind, choice.name).from_options(choice.options, device=pick_device(device))
