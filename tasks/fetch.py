"""Fetch the weights that engines need, for this machine or for one without internet."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.engines import registry
from tasks.engines.hub import HasWeights, WeightsSource, fetch, wanted_files
from tasks.engines.registry import EngineKind
from tasks.engines.weights_folder import VARIABLE
from tasks.planning.spec import EngineChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedWeights:
    """What is on this disk now."""

    engine: str
    model: str
    n_files: int
    size_bytes: int
    path: str


def sources_of(kind: EngineKind, choice: EngineChoice) -> tuple[WeightsSource, ...]:
    """Return what the engine loads; nothing for one whose weights come with its package.

    Raises:
        ConfigError: there is no such engine, or its options are wrong.
    """
    engine = registry.find(kind, choice.name)
    return engine.weights(choice.options) if isinstance(engine, HasWeights) else ()


def fetch_weights(choices: Iterable[tuple[EngineKind, EngineChoice]], folder: str | None) -> Iterator[FetchedWeights]:
    """Download what the engines need, into the hub's cache or a folder, and yield each piece when it is there.

    What a model refers to is known only when it is there itself, so engines are asked until they name nothing new.

    Raises:
        ConfigError: an engine is unknown, the hub cannot be reached or does not give the weights.
    """
    place = Path(folder).expanduser().resolve() if folder else None
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
        os.environ[VARIABLE] = str(place)
    done: set[WeightsSource] = set()
    for kind, choice in choices:
        while new := [source for source in sources_of(kind, choice) if source not in done]:
            for source in new:
                done.add(source)
                path = fetch(source, place)
                files = wanted_files(source)
                yield FetchedWeights(
                    engine=choice.name,
                    model=source.model,
                    n_files=len(files),
                    size_bytes=sum(file.stat().st_size for file in files),
                    path=str(path),
                )
