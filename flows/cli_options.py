"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from tasks.planning.plan import RunPlan
    from tasks.reading.choose_recordings import RecordingFilter

Later = Annotated[bool, Parameter(negative="")]
Several = Annotated[list[str] | None, Parameter(negative="")]
JsonFlag = Annotated[bool | None, Parameter(name="--json", negative="--no-json")]
"""JSON as asked; by default where standard output is no terminal."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What can be said of a run beside where it reads and writes."""

    profile: str | None = None
    """Named choice of engines, see `voxlake engines`; `auto` takes the best that can run here."""
    manifest: str | None = None
    """File with hints on the recordings; found by itself at the archive's root."""
    collection: str | None = None
    """What recordings belong to that the manifest says nothing of."""
    language: str | None = None
    """ISO 639-1 code of recordings that the manifest says nothing of."""
    workers: int | None = None
    """Worker processes; by default one for each usable processor, or for each GPU."""
    runner: Literal["processes", "pool", "dask"] | None = None
    """Who takes shards: `processes` of this machine, workers of a Prefect work `pool`, or a `dask` cluster."""
    pool: str | None = None
    """Work pool, with `--runner pool`; by default `gpu` where the profile wants one, else `cpu`."""
    dask_address: str | None = None
    """Scheduler, with `--runner dask`, as `tcp://10.0.0.5:8786`; by default a cluster on this machine."""
    config: str | None = None
    """TOML file with settings; ./voxlake.toml by default."""
    assigned: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = ()
    """Any other setting, as `transcriber.options.beam_size=1`; may be given several times."""
    retry_failed: Annotated[bool, Parameter(negative="")] = False
    """Also try again what failed for good before."""


def plan_with(options: RunOptions, archive: str, lake: str) -> RunPlan:
    """Return the plan of a run with these options; raises as ``plan_here``."""
    from flows.launch import plan_here
    from flows.settings import load_settings

    settings = load_settings(
        options.config,
        assigned=options.assigned,
        profile=options.profile,
        language=options.language,
        workers=options.workers,
        runner=options.runner,
        pool=options.pool,
        dask_address=options.dask_address,
    )
    return plan_here(
        settings,
        archive,
        lake,
        manifest=options.manifest,
        collection=options.collection,
        retry_failed=options.retry_failed,
    )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RecordingOptions:
    """Which recordings of a lake; several options narrow each other down, several values of one widen it."""

    collection: Several = None
    """Only recordings of this collection; may be given several times."""
    language: Several = None
    """Only recordings mostly in this language, an ISO 639-1 code; may be given several times."""
    speaker: Several = None
    """Only recordings in which this person is heard, by speaker ID or name, whole; may be given several times."""
    source: Several = None
    """Only recordings of this name, or of names like `interviews/*`; may be given several times."""
    since: Annotated[str | None, Parameter(name="--from")] = None
    """Only recordings made then or later: a year, a month or a day, such as 1998-05."""
    until: str | None = None
    """Only recordings made then or before."""


def recording_filter(options: RecordingOptions, lake: str) -> RecordingFilter:
    """Return which recordings are meant.

    Raises:
        ConfigError: a speaker is not in the lake, or a date is none.
    """
    from tasks.people.who import find_speaker
    from tasks.reading.choose_recordings import RecordingFilter

    def listed(values: list[str] | None) -> tuple[str, ...] | None:
        return tuple(values) if values else None

    return RecordingFilter(
        sources=listed(options.source),
        collections=listed(options.collection),
        languages=listed(options.language),
        speaker_ids=listed([find_speaker(lake, who) for who in options.speaker or ()]),
        since=options.since,
        until=options.until,
    )
