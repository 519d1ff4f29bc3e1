"""What is counted in a recording: errors and what they are errors of, in sums that add up over recordings."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    def __add__(self, other: Self) -> Self:
        """Return the sums of both."""
        names = [field.name for field in fields(self)]
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class WordEdits(_Sums):
    """Edits that make what was recognised of what was said."""

    insertions: int = 0
    deletions: int = 0
    substitutions: int = 0
    n_words: int = 0
    """Words of the reference."""

    @property
    def errors(self) -> int:
        """All edits."""
        return self.insertions + self.deletions + self.substitutions

    @property
    def rate(self) -> float:
        """Word error rate; 0 of nothing."""
        return self.errors / self.n_words if self.n_words else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WordErrors(_Sums):
    """Edits of which only the number is known."""

    errors: int = 0
    n_words: int = 0
    """Words of the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerErrors(_Sums):
    """Recognised words whose speaker is wrong: the numerator and denominator of the WDER."""

    wrong: int = 0
    n_aligned: int = 0
    """Words that stand against a word of the reference, equal or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnErrors(_Sums):
    """Wrongly labelled speaker time."""

    missed_ms: int = 0
    false_ms: int = 0
    confused_ms: int = 0
    speech_ms: int = 0
    """Speaker time of the reference: two people talking at once count twice."""

    @property
    def wrong_ms(self) -> int:
        """All wrong time."""
        return self.missed_ms + self.false_ms + self.confused_ms

    @property
    def rate(self) -> float:
        """Diarization error rate; 0 of nothing."""
        return self.wrong_ms / self.speech_ms if self.speech_ms else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JaccardErrors(_Sums):
    """Jaccard errors of the reference's speakers, each from 0 to 1."""

    errors: float = 0.0
    n_speakers: int = 0
