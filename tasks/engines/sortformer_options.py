"""Options of the Sortformer adapter, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from tasks.engines.activity_turns import TurnRules
from tasks.engines.options import NO_EFFECT
from tasks.engines.sortformer_net import PRESETS

NAME: Final = "sortformer"
_CHOICES: Final = {
    "mode": ("auto", "streaming", "offline"),
    "latency": tuple(PRESETS),
    "precision": ("float32", "bfloat16"),
}
_LEAST: Final = {
    "longest_offline_ms": 30_000,
    "pad_onset_ms": 0,
    "pad_offset_ms": 0,
    "min_duration_on_ms": 0,
    "min_duration_off_ms": 0,
    "saturated_ms": 1,
    "overlap_ms": 1000,
    "batch_size": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SortformerOptions:
    """Which model, how it listens, and when activity is a turn."""

    model: str = field(default="nvidia/diar_streaming_sortformer_4spk-v2", metadata=NO_EFFECT)
    """Path of a .nemo file, or repository of the hub."""
    revision: str | None = field(default=None, metadata=NO_EFFECT)
    """Branch, tag or commit of the repository."""
    mode: str = "auto"
    """``streaming`` or ``offline``; ``auto`` is what the model was made for."""
    latency: str = "very_high"
    """How much a streaming model hears at a time: ``very_high``, ``high``, ``low`` or ``ultra_low``."""
    longest_offline_ms: int = 600_000
    """An offline model, whose memory grows with the square of the length, hears longer clips in pieces."""
    onset: float = 0.5
    """A turn begins where activity rises above this."""
    offset: float = 0.5
    """It ends where activity falls below this."""
    pad_onset_ms: int = 0
    """Added before each turn."""
    pad_offset_ms: int = 0
    """Added after each turn."""
    min_duration_on_ms: int = 200
    """Shorter turns are dropped."""
    min_duration_off_ms: int = 200
    """Shorter gaps in one speaker's speech are filled."""
    saturated_ms: int = 3000
    """Where all outputs of the model speak at least so long there may be more people than outputs."""
    fallback: str = "pieces"
    """What then hears the clip again: ``pieces``, ``none``, or the name of another diarizer."""
    fallback_options: str = "{}"
    """Options of the other diarizer, as JSON."""
    piece_ms: int = 60_000
    """About how long pieces are."""
    overlap_ms: int = 15_000
    """About how much of a piece is heard again in the next, to know its voices by."""
    precision: str = "float32"
    """``bfloat16`` is faster on a GPU; the CPU computes in float32 anyhow."""
    batch_size: int = field(default=8, metadata=NO_EFFECT)
    """Clips that a streaming model hears at once."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                _refuse(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")
        if not 0 < self.offset <= self.onset < 1:
            _refuse(f"offset and onset must be 0 < offset <= onset < 1, not {self.offset} and {self.onset}")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                _refuse(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.piece_ms < 2 * self.overlap_ms:
            _refuse(f"piece_ms must be at least twice overlap_ms, not {self.piece_ms}")
        if self.fallback == NAME:
            _refuse("fallback must be another diarizer")
        if not _is_object(self.fallback_options):
            _refuse("fallback_options must be a JSON object")

    @property
    def rules(self) -> TurnRules:
        """When activity is a turn."""
        return TurnRules(
            onset=self.onset,
            offset=self.offset,
            pad_onset_ms=self.pad_onset_ms,
            pad_offset_ms=self.pad_offset_ms,
            min_duration_on_ms=self.min_duration_on_ms,
            min_duration_off_ms=self.min_duration_off_ms,
        )

    @property
    def other_diarizer(self) -> str | None:
        """Name of the diarizer to fall back on; None where it is none."""
        return None if self.fallback in ("none", "pieces") else self.fallback

    @property
    def other_options(self) -> Mapping[str, object]:
        """Its options."""
        options: Mapping[str, object] = json.loads(self.fallback_options)
        return options


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)
