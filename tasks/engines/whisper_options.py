"""What can be chosen of Whisper, and the names that its sizes have on the hub."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from tasks.engines.options import NO_EFFECT

MODELS = {
    "tiny": "Systran/faster-whisper-tiny",
    "tiny.en": "Systran/faster-whisper-tiny.en",
    "base": "Systran/faster-whisper-base",
    "base.en": "Systran/faster-whisper-base.en",
    "small": "Systran/faster-whisper-small",
    "small.en": "Systran/faster-whisper-small.en",
    "medium": "Systran/faster-whisper-medium",
    "medium.en": "Systran/faster-whisper-medium.en",
    "large-v1": "Systran/faster-whisper-large-v1",
    "large-v2": "Systran/faster-whisper-large-v2",
    "large-v3": "Systran/faster-whisper-large-v3",
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
    "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
}
"""Repository of each size."""

COMPUTE_TYPES = (
    "auto", "default", "int8", "int8_float32", "int8_float16", "int8_bfloat16", "int16", "float16", "bfloat16",
    "float32",
)  # fmt: skip
TASKS = ("transcribe", "translate")

_WINDOW_MS = 30_000
_LEAST = {
    "beam_size": 1, "best_of": 1, "patience": 0.1, "repetition_penalty": 0.1, "no_repeat_ngram_size": 0,
    "join_ms": 0, "piece_ms": 1000, "language_windows": 1, "max_repeats": 1, "max_wordless_ms": 0, "batch_size": 1,
    "cpu_threads": 0,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class WhisperOptions:
    """Which model, how it searches, what it hears at a time, and which results are suspect."""

    model: str = field(default="large-v3-turbo", metadata=NO_EFFECT)
    """Size, path of a CTranslate2 folder, or repository of the hub; the weights' digest stands for it."""
    revision: str | None = field(default=None, metadata=NO_EFFECT)
    """Branch, tag or commit of the repository."""
    compute_type: str = "auto"
    """``auto`` is float16 on CUDA and int8 on a CPU."""
    cpu_threads: int = field(default=0, metadata=NO_EFFECT)
    """0 for what OMP_NUM_THREADS says, else four."""
    batch_size: int = field(default=8, metadata=NO_EFFECT)
    """Pieces decoded at once."""

    task: str = "transcribe"
    beam_size: int = 5
    patience: float = 1.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    initial_prompt: str | None = None
    """Text as it could stand before each piece: spelling, punctuation, names."""
    hotwords: str | None = None
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """How a suspect piece is decoded again: with times, then by sampling; empty for never."""
    best_of: int = 5
    """Samples at each temperature at most; the first that is not suspect ends the search."""

    join_ms: int = 2000
    """Speech closer than this is decoded together, as long as it fits."""
    piece_ms: int = _WINDOW_MS
    """Longest piece; Whisper hears 30 s at a time."""
    language_windows: int = 4
    """Windows of 30 s of speech that are asked for the language until one is sure."""

    max_compression: float = 2.4
    min_logprob: float = -1.0
    max_no_speech: float = 0.6
    max_repeats: int = 3
    """How often words may be said in a row."""
    max_chars_per_s: float = 35.0
    max_wordless_ms: int = 5000
    """Speech that may pass without a word."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name, least in _LEAST.items():
            _refuse(getattr(self, name) < least, f"{name} must be at least {least}, not {getattr(self, name)}")
        _refuse(self.compute_type not in COMPUTE_TYPES, f"compute_type must be one of {', '.join(COMPUTE_TYPES)}")
        _refuse(self.task not in TASKS, f"task must be one of {', '.join(TASKS)}")
        _refuse(self.piece_ms > _WINDOW_MS, f"piece_ms must be at most {_WINDOW_MS}: Whisper hears no more at a time")
        is_ladder = not self.temperatures or self.temperatures[0] == 0.0
        is_ladder = is_ladder and all(low < high for low, high in pairwise(self.temperatures))
        _refuse(not is_ladder, "temperatures must begin with 0.0 and rise, or be empty")


def _refuse(is_wrong: bool, message: str) -> None:
    if is_wrong:
        raise ValueError(message)
