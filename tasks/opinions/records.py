"""What comparing two opinions about one recording gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A span in which two opinions differ, and what each has there."""

    start_ms: int
    end_ms: int
    one_text: str
    other_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How much two opinions differ, and where."""

    n_compared: int
    """Words of whichever has more, from pause to pause; of turns, milliseconds, times the speakers of whichever hears
    more."""
    n_differing: int
    """Edits that make one of the other; of turns, milliseconds."""
    disagreements: tuple[Disagreement, ...]
    """In order of time."""
