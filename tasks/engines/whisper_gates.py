"""Which of Whisper's results are suspect: pure decisions on what was heard in one piece.

Decoding in batches goes without Whisper's own gates, and Whisper fails in known ways: it repeats itself, writes
fluently where nobody speaks, or falls silent in the middle of speech.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from storage.records import Span, Word
from tasks.engines.whisper_options import WhisperOptions

_AROUND = re.compile(r"^\W+|\W+$")
_LONGEST_PHRASE = 12
_FEWEST_REPEATED = 6
"""Repeated words that are worth a doubt; people do say "no, no, no, no"."""
_SHORTEST_RATE_MS = 500
"""Speaking rate is measured over at least this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one decoding wrote for one piece."""

    words: tuple[Word, ...]
    """In clip time, settled on speech."""
    text: str
    logprob: float
    """Mean log-probability of the tokens."""
    no_speech: float
    """Probability that nobody speaks."""


def doubts(heard: Heard, speech: Sequence[Span], options: WhisperOptions) -> tuple[str, ...]:
    """Return why the result is suspect, sorted; empty if it is not.

    Args:
        heard: What was written.
        speech: Detected speech of the piece, in clip time.
        options: The limits.
    """
    if not heard.words:
        return ("no_words",)
    spoken_ms = max(sum(span.duration_ms for span in speech), _SHORTEST_RATE_MS)
    n_chars = sum(len(word.text) for word in heard.words)
    found = {
        "compression": compression(heard.text) > options.max_compression,
        "fast": n_chars * 1000 > options.max_chars_per_s * spoken_ms,
        "low_confidence": heard.logprob < options.min_logprob,
        "no_speech": is_silence(heard, options),
        "repetition": is_repetitive([word.text for word in heard.words], options.max_repeats),
        "words_missing": longest_wordless_ms(heard.words, speech) > options.max_wordless_ms,
    }
    return tuple(name for name, is_so in found.items() if is_so)


def is_silence(heard: Heard, options: WhisperOptions) -> bool:
    """Return what Whisper takes for silence: it hears no speech, and does not believe its own words."""
    return heard.no_speech > options.max_no_speech and heard.logprob < options.min_logprob


def preference(heard: Heard, doubted: Sequence[str]) -> tuple[bool, int, float]:
    """Return what is largest for the best of several results: words, few doubts, likely tokens."""
    return bool(heard.words), -len(doubted), heard.logprob


def compression(text: str) -> float:
    """Return how many times smaller zlib makes the text; loops compress well."""
    written = text.encode()
    return len(written) / len(zlib.compress(written))


def is_repetitive(texts: Sequence[str], most: int) -> bool:
    """Return whether some words follow themselves more than ``most`` times in a row.

    >>> is_repetitive("thank you thank you thank you thank you".split(), 3)
    True
    """
    plain = [_AROUND.sub("", text.casefold()) for text in texts]
    for length in range(1, min(_LONGEST_PHRASE, len(plain) // 2) + 1):
        same = 0
        for before, after in zip(plain, plain[length:], strict=False):
            same = same + 1 if before == after else 0
            repeats = same // length + 1
            if repeats > most and same + length >= _FEWEST_REPEATED:
                return True
    return False


def longest_wordless_ms(words: Sequence[Word], speech: Sequence[Span]) -> int:
    """Return the most speech between two neighbouring words, or before the first or after the last."""
    edges = [
        0,
        *(at for word in words for at in (word.start_ms, word.end_ms)),
        max((s.end_ms for s in speech), default=0),
    ]
    gaps = zip(edges[::2], edges[1::2], strict=True)
    return max(sum(_shared_ms(span, start_ms, end_ms) for span in speech) for start_ms, end_ms in gaps)


def _shared_ms(span: Span, start_ms: int, end_ms: int) -> int:
    return max(0, min(span.end_ms, end_ms) - max(span.start_ms, start_ms))
