"""The protocols every engine keeps, and what an engine says of itself.

Engines never see recordings, offsets, files, the lake or Prefect: they get clips and give records in clip time.
Promises, tested by the contract suites in ``tests/contract``:

- one result per clip, in the same order; a clip's result does not depend on its batch;
- ``0 <= start_ms <= end_ms <= duration of the clip``, starts never decrease;
- silence, one sample, clipping, DC or non-finite samples give an empty or a sane result, never an exception;
- inputs are not modified; the same input gives the same output;
- only ``storage.errors.EngineError`` and its children leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from storage.records import Clip, ClipContext, Diarization, FloatArray, Span, Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineIdentity:
    """All that decides an engine's output; goes into the recipe."""

    name: str
    """Registered name, e.g. ``pocketsphinx``."""
    version: str
    """Version of the library, or of the adapter's own algorithm where it has one, e.g. ``5.1.1+1``."""
    weights: str
    """Digest of the weights, 16 hex digits."""
    options: str
    """Canonical JSON of the options that change results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What a person may want to know before choosing an engine."""

    summary: str
    licence: str
    languages: str
    """ISO codes, or a phrase such as ``99 languages``."""
    max_speakers: int | None = None
    needs: str = ""
    """What has to be installed, accepted or downloaded."""


@runtime_checkable
class Engine(Protocol):
    """What all engines share."""

    info: EngineInfo

    @classmethod
    def from_options(cls, options: Mapping[str, object], *, device: str) -> Self:
        """Return the engine, weights loaded.

        Raises:
            ConfigError: an option is unknown or has an impossible value.
            EngineUnavailable: the library or the weights are not here; the message says the remedy.
        """
        ...

    @classmethod
    def identify(cls, options: Mapping[str, object]) -> EngineIdentity:
        """Return the identity without loading the model, in milliseconds where possible.

        Raises: as ``from_options``.
        """
        ...


class Detector(Engine, Protocol):
    """Finds speech; cuts chunks and bounds what the others listen to."""

    def detect(self, clip: Clip, /) -> list[Span]:
        """Return spans of speech in clip time, sorted and disjoint."""
        ...


class Transcriber(Engine, Protocol):
    """Turns clips into words."""

    def transcribe(self, clips: Sequence[Clip], contexts: Sequence[ClipContext], /) -> list[Transcript]:
        """Return one transcript per clip."""
        ...


class Diarizer(Engine, Protocol):
    """Tells the voices of a clip apart."""

    def diarize(self, clips: Sequence[Clip], contexts: Sequence[ClipContext], /) -> list[Diarization]:
        """Return one diarization per clip; labels mean nothing outside it."""
        ...


class Embedder(Engine, Protocol):
    """Makes a voice fingerprint of a clip in which one person speaks."""

    dim: int

    def embed(self, clips: Sequence[Clip], /) -> FloatArray:
        """Return ``(len(clips), dim)`` float32 of unit length; a row of NaN where there is no voice."""
        ...
