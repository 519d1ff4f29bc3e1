"""What the fake engines were given, clip by clip, in a file outside the lake: for counting work that was done twice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from storage.records import SAMPLES_PER_MS, Clip

_DIGEST_DIGITS = 16


class Noted(NamedTuple):
    """A clip that an engine was given."""

    pid: int
    """The process that took it."""
    duration_ms: int
    digest: str
    """Of its samples."""


def note_clips(journal: Path, clips: Sequence[Clip]) -> None:
    """Append a line for each clip, in one write: several processes may share the file."""
    digests = [hashlib.sha256(clip.tobytes()).hexdigest()[:_DIGEST_DIGITS] for clip in clips]
    lines = [f"{os.getpid()} {len(clip) // SAMPLES_PER_MS} {one}\n" for clip, one in zip(clips, digests, strict=True)]
    with journal.open("a") as file:
        file.write("".join(lines))


def read_journal(journal: Path) -> list[Noted]:
    """Return what was noted, in order; nothing where there is no such file."""
    if not journal.exists():
        return []
    lines = (line.split() for line in journal.read_text().splitlines())
    return [Noted(int(pid), int(duration_ms), digest) for pid, duration_ms, digest in lines]
