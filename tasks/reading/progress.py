"""How far a run is, and how long it will still take. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tasks.stages.shard_report import ShardReport
from tasks.wording import counted, lasting, of_audio

Phase = Literal["shards", "reduce", "done"]

_FEWEST_STEPS = 3
_SHORTEST_MS = 20_000
_LEAST_SHARE = 0.02


class Step(NamedTuple):
    """Work that became visible: so much audio was done after so much time."""

    elapsed_ms: int
    audio_ms: int


class TimeLeft(NamedTuple):
    """Between what and what the rest will take."""

    low_ms: int
    high_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRecording:
    """A recording of which something failed, and what to do."""

    source: str
    stage: str
    error: str
    message: str
    is_transient: bool


FAILURE_FIELDS = tuple(one.name for one in dataclasses.fields(FailedRecording))


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A run on its way. Audio is counted as the files' headers claim it, committed or not."""

    run_id: str
    phase: Phase
    n_shards: int
    n_shards_done: int
    n_recordings: int
    n_recordings_done: int
    audio_ms: int
    audio_done_ms: int
    elapsed_ms: int
    left: TimeLeft | None
    """None where it is too early to say."""
    work: ShardReport
    """Sum over the shards that ended."""
    lost: tuple[str, ...]
    n_failed: int
    failures: tuple[FailedRecording, ...]
    """The latest of them, newest first."""

    @property
    def audio_left_ms(self) -> int:
        """Audio of the recordings that are not committed yet."""
        return self.audio_ms - self.audio_done_ms

    @property
    def percent(self) -> float:
        """How much of the audio is done, from 0 to 100; of the recordings, where no header tells a length."""
        done, whole = (
            (self.audio_done_ms, self.audio_ms) if self.audio_ms else (self.n_recordings_done, self.n_recordings)
        )
        return 100.0 * done / whole if whole else 100.0


def time_left(steps: Sequence[Step], elapsed_ms: int, audio_ms: int) -> TimeLeft | None:
    """Return between what and what the rest of a run will take, or None while too little is done to say.

    The speed of a run is its audio over its wall time. Work shows in lumps, so the speed so far is lowest just before
    one and highest just after; the lowest and the highest since half of what is done now was done bound the estimate.

    Args:
        steps: What was done when, in order.
        elapsed_ms: Wall time until now.
        audio_ms: All audio of the run.
    """
    done_ms = steps[-1].audio_ms if steps else 0
    if len(steps) < _FEWEST_STEPS or elapsed_ms < _SHORTEST_MS or done_ms < max(1, _LEAST_SHARE * audio_ms):
        return None
    before = Step(0, 0)
    speeds = [done_ms / elapsed_ms]
    for step in steps:
        if step.audio_ms * 2 >= done_ms and step.elapsed_ms:
            speeds.append(step.audio_ms / step.elapsed_ms)
            if before.audio_ms * 2 >= done_ms:
                speeds.append(before.audio_ms / step.elapsed_ms)
        before = step
    left_ms = max(0, audio_ms - done_ms)
    return TimeLeft(round(left_ms / max(speeds)), round(left_ms / min(speeds)))


def left_in_words(progress: Progress) -> str:
    """Return how long the shards will still take, whatever the reduce takes after them."""
    if progress.phase != "shards" or not progress.audio_left_ms:
        return "none"
    if progress.left is None:
        return "too early to say"
    low, high = map(lasting, progress.left)
    return f"about {low}" if low == high else f"{low} to {high}"


def progress_line(progress: Progress) -> str:
    """Return one line that says how far the run is."""
    line = (
        f"{progress.n_shards_done} of {counted(progress.n_shards, 'shard')} done, "
        f"{of_audio(progress.audio_done_ms)} of {of_audio(progress.audio_ms)}"
    )
    if progress.n_failed:
        line += f", {counted(progress.n_failed, 'recording')} failed"
    if progress.phase == "shards" and progress.audio_left_ms:
        line += f", time left: {left_in_words(progress)}"
    return line
