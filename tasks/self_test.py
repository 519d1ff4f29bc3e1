"""Try an engine on a second of sound that is made here; needs no file and leaves none."""

from __future__ import annotations

from typing import Any

import numpy as np

from storage.records import SAMPLE_RATE_HZ, Clip, ClipContext, Span
from tasks.engines import registry
from tasks.engines.registry import EngineKind

_LENGTH_MS = 1_600
_CONTEXT = ClipContext(speech=(Span(start_ms=0, end_ms=_LENGTH_MS),), language="en")


def try_engine(kind: EngineKind, name: str, device: str) -> str:
    """Load an engine with its defaults, let it hear a sound and return what it made of it.

    Raises:
        ConfigError: the engine is not here, or cannot be loaded.
        EngineError: it failed on the sound.
    """
    engine: Any = registry.find(kind, name).from_options({}, device=device)
    clip = _hum()
    if kind == "detector":
        return f"{len(engine.detect(clip))} spans of speech"
    if kind == "transcriber":
        return f"{len(engine.transcribe([clip], [_CONTEXT])[0].words)} words"
    if kind == "diarizer":
        return f"{len(engine.diarize([clip], [_CONTEXT])[0].turns)} turns"
    return f"a vector of {engine.embed([clip]).shape[1]}"


def _hum() -> Clip:
    """Return a hum of 120 Hz with overtones that comes and goes: no speech, but nothing an engine may choke on."""
    t = np.arange(_LENGTH_MS * SAMPLE_RATE_HZ // 1000) / SAMPLE_RATE_HZ
    overtones = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20))
    hum: Clip = (0.1 * overtones * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * t))).astype(np.float32)
    return hum
