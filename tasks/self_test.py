"""Try an engine on a second of speech that comes with the package; needs no other file and leaves none.

In ``second_of_speech.flac`` the voice slt of Flite says "good morning everybody".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from storage.records import Clip, ClipContext, Span, duration_ms
from tasks.audio.decode import open_recording
from tasks.engines import registry
from tasks.engines.devices import pick_device
from tasks.engines.registry import EngineKind
from tasks.wording import counted

_SPEECH = Path(__file__).with_name("second_of_speech.flac")


def try_engine(kind: EngineKind, name: str, options: Mapping[str, object], device: str) -> str:
    """Load an engine, let it hear a sentence and return what it made of it.

    Raises:
        ConfigError: the engine is not here, or cannot be loaded.
        EngineError: it failed on the speech.
    """
    engine: Any = registry.find(kind, name).from_options(options, device=pick_device(device))
    clip = second_of_speech()
    context = ClipContext(speech=(Span(start_ms=0, end_ms=duration_ms(clip)),), language="en")
    if kind == "detector":
        return f"{counted(len(engine.detect(clip)), 'span')} of speech"
    if kind == "transcriber":
        words = engine.transcribe([clip], [context])[0].words
        return " ".join(word.text for word in words) or "no words"
    if kind == "diarizer":
        turns = engine.diarize([clip], [context])[0].turns
        return f"{counted(len(turns), 'turn')} of {counted(len({turn.speaker for turn in turns}), 'speaker')}"
    return f"a vector of {engine.embed([clip]).shape[1]}"


def second_of_speech() -> Clip:
    """Return "good morning everybody"."""
    with open_recording(str(_SPEECH.parent), _SPEECH.name) as recording:
        return np.concatenate([block[0] for block in recording.blocks()])
