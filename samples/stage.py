"""From a script to a timeline: who says what, when, and what else sounds.

A script is a text file, one cue per line::

    anna: A line, spoken after a short pause.
    tom (over 500): A line that begins 500 ms before the one above it ends.
    (silence 32)
    (music 14)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from voices import PERSONS, RATE_HZ, Samples, audible_spans_ms, speak

LEAD_MS = 1000
"""Quiet before the first cue and after the last."""
PAUSE_RANGE_MS = (500, 1200)
_LINE = re.compile(r"(?P<name>\w+)(?: \(over (?P<over>\d+)\))?: (?P<text>.+)")
_EFFECT = re.compile(r"\((?P<kind>silence|music) (?P<seconds>\d+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """One line of a script."""

    kind: str
    """``line``, ``silence`` or ``music``."""
    person: str = ""
    text: str = ""
    over_ms: int = 0
    """How long before the end of the line above this one begins."""
    length_ms: int = 0
    """Of silence and music."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A cue that has its place in the recording."""

    cue: Cue
    start_ms: int
    end_ms: int
    sound: Samples
    """Empty for silence and music."""

    @property
    def audible_ms(self) -> list[tuple[int, int]]:
        """Where the line can be heard, in recording time."""
        return [(self.start_ms + start, self.start_ms + end) for start, end in audible_spans_ms(self.sound)]


def parse_script(script: str) -> Iterator[Cue]:
    """Yield the cues of a script.

    Raises:
        ValueError: a line is neither speech of a known person nor an effect.
    """
    for line in filter(None, map(str.strip, script.splitlines())):
        if effect := _EFFECT.fullmatch(line):
            yield Cue(kind=effect["kind"], length_ms=int(effect["seconds"]) * 1000)
        elif (spoken := _LINE.fullmatch(line)) and spoken["name"] in PERSONS:
            yield Cue(kind="line", person=spoken["name"], text=spoken["text"], over_ms=int(spoken["over"] or 0))
        else:
            raise ValueError(f"not a cue: {line!r}")


def play(script: str, seed: int) -> tuple[list[Placed], int]:
    """Return every cue with its place and sound, and the length of the whole in milliseconds."""
    rng = np.random.default_rng(seed)
    placed: list[Placed] = []
    now_ms = LEAD_MS
    for cue in parse_script(script):
        sound = speak(PERSONS[cue.person], cue.text) if cue.kind == "line" else np.zeros(0)
        length_ms = cue.length_ms or len(sound) * 1000 // RATE_HZ
        pause_ms = int(rng.integers(*PAUSE_RANGE_MS)) if placed else 0
        start_ms = now_ms - cue.over_ms if cue.over_ms else now_ms + pause_ms
        placed.append(Placed(cue=cue, start_ms=start_ms, end_ms=start_ms + length_ms, sound=sound))
        now_ms = max(now_ms, start_ms + length_ms)
    return placed, now_ms + LEAD_MS
