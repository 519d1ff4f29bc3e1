"""What came of a shard, and how counts of many add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.wording import counted, lasting, of_audio


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReport:
    """What came of a shard: small enough for Prefect's database."""

    n_recordings: int = 0
    n_duplicates: int = 0
    n_failures: int = 0
    audio_ms: int = 0
    wall_ms: int = 0
    stage_ms: Mapping[str, int] = field(default_factory=dict)
    """Wall time by stage; probe stands for reading, decoding and detecting speech."""

    def __add__(self, other: ShardReport) -> ShardReport:
        """Return the sums; wall times add up over workers."""
        stages = sorted({*self.stage_ms, *other.stage_ms})
        return ShardReport(
            n_recordings=self.n_recordings + other.n_recordings,
            n_duplicates=self.n_duplicates + other.n_duplicates,
            n_failures=self.n_failures + other.n_failures,
            audio_ms=self.audio_ms + other.audio_ms,
            wall_ms=self.wall_ms + other.wall_ms,
            stage_ms={stage: self.stage_ms.get(stage, 0) + other.stage_ms.get(stage, 0) for stage in stages},
        )


def report_line(report: ShardReport) -> str:
    """Return what a log says of a shard that is done."""
    audio = f"{of_audio(report.audio_ms)} of audio done in {lasting(report.wall_ms)}"
    return f"{counted(report.n_recordings, 'recording')}, {audio}, {counted(report.n_failures, 'failure')}"
