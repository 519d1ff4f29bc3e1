"""How far a run is, as a page of Prefect's UI. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storage.recipes import STAGES
from tasks.reading.progress import FailedRecording, Phase, Progress, left_in_words
from tasks.wording import counted, lasting, of_audio, plain

MOST_FAILURES = 50
"""Failures on a page; the lake has all of them."""

_BAR = 50
_ROUND_FROM = 20
_PHASES: Mapping[Phase, str] = {
    "shards": "The recordings are transcribed, diarized and fingerprinted, in shards.",
    "reduce": "All shards have ended; speakers are linked across the lake, and its tables published.",
    "done": "The run is over; its summary says what came of it.",
}


def progress_page(progress: Progress) -> str:
    """Return the page, in Markdown."""
    parts = [
        f"# {progress.percent:.0f} % of the audio is done",
        f"`{_bar(progress.percent)}`",
        _PHASES[progress.phase],
        two_columns("so far", _facts(progress)),
        "## Stages",
        stage_table(progress.work.stage_ms, progress.work.audio_ms) or "Told when the first shard has ended.",
        "## Failures so far",
        failure_list(progress.failures, progress.n_failed) or "None.",
    ]
    if progress.lost:
        parts += ["## Shards left undone", "\n".join(f"- {plain(reason)}" for reason in progress.lost)]
    return "\n\n".join(parts) + "\n"


def _facts(progress: Progress) -> list[tuple[str, str]]:
    return [
        ("shards done", f"{progress.n_shards_done:,} of {progress.n_shards:,}"),
        ("recordings done", f"{progress.n_recordings_done:,} of {progress.n_recordings:,}"),
        ("audio done", of_audio(progress.audio_done_ms)),
        ("audio to do", of_audio(progress.audio_left_ms)),
        ("running for", lasting(progress.elapsed_ms)),
        ("time left", left_in_words(progress)),
        ("speed", f"{_speed(progress.audio_done_ms, progress.elapsed_ms)} hours of audio per hour"),
        ("recordings that failed", f"{progress.n_failed:,}"),
        ("run", f"`{progress.run_id}`"),
    ]


def stage_table(stage_ms: Mapping[str, int], audio_ms: int) -> str:
    """Return how fast each stage is in one worker, and its share of all time; empty where nothing is known."""
    whole_ms = sum(stage_ms.values())
    if not whole_ms:
        return ""
    rows = [
        f"| {stage} | {_speed(audio_ms, ms)} | {lasting(ms)} | {100 * ms / whole_ms:.0f} % |"
        for stage, ms in sorted(stage_ms.items(), key=_order)
    ]
    head = "| stage | hours of audio per hour | time, all workers | share |\n| --- | ---: | ---: | ---: |"
    note = "*probe* is reading, decoding and finding speech; it goes on beside the others."
    return "\n".join([head, *rows]) + f"\n\n{note}"


def _order(stage: tuple[str, int]) -> tuple[int, str]:
    """Return what sorts stages as the data goes through them."""
    name, _ = stage
    return ([*map(str, STAGES), name].index(name), name)


def failure_list(failures: Sequence[FailedRecording], n_failed: int) -> str:
    """Return what failed and why, as a list, for tables of the UI do not break lines; empty where nothing did."""
    if not failures:
        return ""
    items = [
        f"- **{plain(one.source)}**: {one.error} in {one.stage}: {plain(one.message)}. "
        f"Tried again {retry_in_words(one.is_transient)}."
        for one in failures[:MOST_FAILURES]
    ]
    shown = f"\n\nThe latest of {counted(n_failed, 'recording')}." if n_failed > MOST_FAILURES else ""
    return "\n".join(items) + shown


def retry_in_words(is_transient: bool) -> str:
    """Return when a failure is tried again."""
    return "by every run" if is_transient else "with `--retry-failed`, or when the file changes"


def _speed(audio_ms: int, ms: int) -> str:
    if not ms or not audio_ms:
        return "–"
    speed = audio_ms / ms
    return f"{speed:,.0f}" if speed >= _ROUND_FROM else f"{speed:.1f}"


def _bar(percent: float) -> str:
    filled = round(_BAR * percent / 100)
    return "█" * filled + "░" * (_BAR - filled)


def two_columns(head: str, rows: Sequence[tuple[str, str]]) -> str:
    """Return names and values as a table, in Markdown."""
    return "\n".join([f"| {head} | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])
