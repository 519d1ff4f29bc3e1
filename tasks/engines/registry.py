"""Engines by name, found through entry points; listing imports nothing, loading says what is missing."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Literal

from storage.errors import EngineUnavailable, UnknownEngine
from tasks.engines.base import Engine

EngineKind = Literal["detector", "transcriber", "diarizer", "embedder"]
KINDS: tuple[EngineKind, ...] = ("detector", "transcriber", "diarizer", "embedder")

_EXTRAS = {
    "silero": "embedded",
    "pocketsphinx": "embedded",
    "resemblyzer": "embedded",
    "whisper": "whisper",
    "parakeet": "nemo",
    "sortformer": "nemo",
    "titanet": "nemo",
    "pyannote": "pyannote",
}


def names(kind: EngineKind) -> list[str]:
    """Return the registered engines of a kind, without importing any."""
    return sorted({point.name for point in _points(kind)})


def find(kind: EngineKind, name: str) -> type[Engine]:
    """Return the engine class of that name; importing it must not import its library.

    Raises:
        UnknownEngine: nothing is registered under the name.
        EngineUnavailable: the plug-in itself cannot be imported.
    """
    for point in _points(kind):
        if point.name == name:
            return _load(kind, point)
    raise UnknownEngine(
        f"{kind} {name!r}", "no such engine", f"choose one of {', '.join(names(kind)) or '(none installed)'}"
    )


def missing_library(name: str, cause: ImportError) -> EngineUnavailable:
    """Return the error an adapter raises when its library cannot be imported."""
    extra = _EXTRAS.get(name)
    remedy = f'install it with: pip install "voxlake[{extra}]"' if extra else "install the package that provides it"
    return EngineUnavailable(f"engine {name!r}", f"cannot be imported here ({cause})", remedy)


@cache
def _points(kind: EngineKind) -> EntryPoints:
    """Return the entry points of a kind; finding them reads a file of every installed package."""
    return entry_points(group=f"voxlake.{kind}s")


def _load(kind: EngineKind, point: EntryPoint) -> type[Engine]:
    try:
        engine: type[Engine] = point.load()
    except ImportError as cause:
        raise missing_library(point.name, cause) from cause
    except AttributeError as cause:
        raise EngineUnavailable(
            f"{kind} {point.name!r}", f"its entry point {point.value} names nothing", "reinstall its package"
        ) from cause
    return engine
