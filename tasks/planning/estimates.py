"""What a run is expected to take, from rates that are stated, not measured here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from storage.addresses import public_url
from tasks.planning.plan import RunPlan, engines_needed
from tasks.planning.shards import MINUTE_MS


class Rate(NamedTuple):
    """What an engine takes on one processor core."""

    speed: float
    """Seconds of audio per second of work."""
    memory_mb: int
    """Memory of its weights and of its work on one chunk."""


_WORKER_MB = 250
"""Python, Arrow and one chunk of samples."""
_DECODING = 400.0
_RATES: Mapping[tuple[str, str], Rate] = {
    ("detector", "silero"): Rate(170, 150),
    ("transcriber", "pocketsphinx"): Rate(5, 250),
    ("diarizer", "resemblyzer"): Rate(20, 500),
    ("embedder", "resemblyzer"): Rate(80, 0),  # shares the diarizer's weights
    **{(kind, "fake"): Rate(300, 50) for kind in ("detector", "transcriber", "diarizer", "embedder")},
}
"""On one core of a small server of 2026."""


def describe_plan(plan: RunPlan) -> dict[str, Any]:
    """Return what a run would do, as names and values to show."""
    spec = plan.spec
    return {
        "archive": public_url(spec.archive),
        "lake": public_url(spec.lake),
        "recordings": len(plan.listed),
        "to do": plan.n_pending,
        "other files": plan.n_ignored,
        "hours to do": round(plan.audio_ms / (60 * MINUTE_MS), 2),
        "shards": len(plan.shards),
        "workers": spec.workers,
        "profile": spec.profile,
        **{kind: spec.choice(kind).name for kind in ("detector", "transcriber", "diarizer", "embedder")},
        "expected minutes": expected_minutes(plan),
        "expected memory (MB)": expected_memory_mb(plan),
        "nothing to do": plan.is_current,
    }


def expected_minutes(plan: RunPlan) -> float | None:
    """Return the expected wall time; None where an engine's rate is not known."""
    rates = _rates(plan)
    if rates is None:
        return None
    work_per_second = 1 / _DECODING + sum(1 / rate.speed for rate in rates)
    longest_ms = max((shard.audio_ms for shard in plan.shards), default=0)
    even_ms = plan.audio_ms / max(1, plan.spec.workers)
    return round(max(longest_ms, even_ms) * work_per_second / MINUTE_MS, 1)


def expected_memory_mb(plan: RunPlan) -> int | None:
    """Return the expected memory of all workers; None where an engine's need is not known."""
    rates = _rates(plan)
    if rates is None:
        return None
    busy = min(plan.spec.workers, len(plan.shards))
    return busy * (_WORKER_MB + sum(rate.memory_mb for rate in rates))


def _rates(plan: RunPlan) -> list[Rate] | None:
    rates = [_RATES.get((kind, plan.spec.choice(kind).name)) for kind in engines_needed(plan.shards)]
    known = [rate for rate in rates if rate is not None]
    return known if len(known) == len(rates) else None
