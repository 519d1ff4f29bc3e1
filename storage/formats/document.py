"""One recording as people and other tools read it: the records that every text format is rendered from.

Times are integer milliseconds from the start of the recording, half-open. ``speaker`` is what is displayed,
a person's name or a speaker ID, and may hold any character; None where nobody knows who spoke.
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.errors import VoxlakeError


class MalformedText(VoxlakeError):
    """A file is not what its format says; ``subject`` is the format and the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        """Refuse what starts before the recording or ends before it starts."""
        if not 0 <= self.start_ms <= self.end_ms:
            message = f"impossible time: from {self.start_ms} ms to {self.end_ms} ms"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentWord(_Timed):
    """The smallest timed text."""

    text: str
    confidence: float | None = None
    """In [0, 1]; None where there is no information."""
    speaker: str | None = None
    channel: int = 0
    """From 0; formats that count from 1 add it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentUtterance(_Timed):
    """Consecutive words of one speaker."""

    text: str
    speaker: str | None = None
    is_uncertain: bool = False
    """Whether the speaker is a guess, shown to people as ``S1?``."""
    confidence: float | None = None
    """In [0, 1]; None where there is no information."""
    language: str | None = None
    is_overlapped: bool = False
    """Whether somebody else talks at the same time."""
    flags: tuple[str, ...] = ()
    """Reasons to distrust the text."""
    words: tuple[DocumentWord, ...] = ()
    """Sorted by start; empty where only the text is known."""

    @property
    def channel(self) -> int:
        """Channel of the words, from 0; 0 without words."""
        return self.words[0].channel if self.words else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentTurn(_Timed):
    """A span in which a speaker talks; turns may overlap."""

    speaker: str | None
    channel: int = 0
    confidence: float | None = None
    """In [0, 1]; None where there is no information."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Everything that is written about one recording; what a format does not keep is parsed as the default."""

    name: str = ""
    """What files call the recording: usually its source, without suffix."""
    recording_id: str | None = None
    duration_ms: int | None = None
    language: str | None = None
    utterances: tuple[DocumentUtterance, ...] = ()
    """Sorted by start."""
    turns: tuple[DocumentTurn, ...] = ()
    """Sorted by start."""

    @property
    def end_ms(self) -> int:
        """Where the recording ends: its duration, or the end of what was said if that is later or all we know."""
        ends = [timed.end_ms for timed in (*self.utterances, *self.turns)]
        return max([self.duration_ms or 0, *ends])
