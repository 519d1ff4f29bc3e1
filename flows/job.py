"""The main job, told once: begin, take the shards, reduce, finish. Prefect and ``--local`` only differ in who calls."""

from __future__ import annotations

import logging
import platform
import queue
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any, NamedTuple, Protocol

from storage.addresses import public_url
from storage.errors import ConfigError, PublicationRaced, StoreUnreachable, VoxlakeError
from storage.lake import Lake
from storage.runs import RunRecord
from tasks.linking.lake import LinkReport
from tasks.planning.plan import RunPlan
from tasks.planning.plan_files import write_plan
from tasks.planning.spec import RunSpec, archive_key, from_plain, to_plain
from tasks.publishing.publish import PublishReport
from tasks.reading.archive_view import added_audio_ms, archive_view
from tasks.reading.changes import changes_between
from tasks.reading.summary import MOST_ROWS, RunSummary
from tasks.reading.telling import link_line, publish_line
from tasks.reading.watch import RunWatch, Show
from tasks.stages.shard_report import ShardReport

log = logging.getLogger(__name__)

_MOST_RACES = 5
_PACKAGES = (
    "voxlake", "prefect", "duckdb", "pyarrow", "numpy", "av", "torch", "faster-whisper", "pocketsphinx",
    "resemblyzer", "nemo_toolkit", "pyannote.audio",
)  # fmt: skip


class Suspended(Exception):
    """Somebody wants the run to end here and to be continued later."""


class ShardFuture(Protocol):
    """What futures of Prefect and of the standard library share."""

    def result(self) -> ShardReport:
        """Return the report, or raise what the shard raised."""
        ...

    def add_done_callback(self, fn: Callable[[Any], None], /) -> None:
        """Have ``fn`` called with the future when it is done."""
        ...


class ShardsTaken(NamedTuple):
    """What came of all shards."""

    work: ShardReport
    lost: tuple[str, ...]


class Reduced(NamedTuple):
    """What came of the reduce."""

    link: LinkReport
    publish: PublishReport


Tell = Callable[[int, ShardReport, tuple[str, ...]], None]
"""Told after each shard: how many have ended, the sum of what came of them, and why some are lost."""
Take = Callable[[Tell], ShardsTaken]
Link = Callable[[str, str], LinkReport]
Publish = Callable[[str, str, LinkReport], PublishReport]


def run_job(plan: RunPlan, *, take: Take, link: Link, publish: Publish, show: Show, runner: str) -> RunSummary:
    """Do what the plan says; with nothing to do, only record that somebody asked.

    Args:
        plan: What to do.
        take: Has the shards taken, and tells how it goes.
        link: Finds speakers.
        publish: Makes the tables.
        show: Shows somebody how far the run is, while it goes.
        runner: Who takes the shards, for the record.

    Raises:
        ConfigError: an engine cannot be loaded.
        StorageError: the lake cannot be read or written.
    """
    if not plan.is_current:
        write_plan(plan)
    record = _first_record(plan.spec, runner)
    with RunWatch(plan, record, show) as watch:
        taken, reduced = ShardsTaken(ShardReport(), ()), None
        if not plan.is_current:
            taken = _take(take, watch)
            watch.reduce_begins()
            reduced = reduce_lake(plan.spec.lake, plan.spec.run_id, link, publish)
        summary = summarise(plan, taken, reduced)
        watch.end(_last_record(record, summary))
    return summary


def _take(take: Take, watch: RunWatch) -> ShardsTaken:
    """Have the shards taken; that somebody suspends the run is no failure of it."""
    try:
        return take(watch.tell)
    except Suspended:
        watch.stop("stopped", "suspended")
        raise


def take_shards(plan: RunPlan, submit: Callable[[int], ShardFuture], tell: Tell) -> ShardsTaken:
    """Keep as many shards in flight as there are workers; a shard that is lost does not stop the others.

    Raises:
        ConfigError: an engine cannot be loaded.
        Suspended: ``submit`` said so; what was in flight is done.
    """
    finished: queue.SimpleQueue[tuple[int, ShardFuture]] = queue.SimpleQueue()
    waiting = iter(range(len(plan.shards)))
    work, lost, n_done = ShardReport(), [], 0
    broken: ConfigError | Suspended | None = None

    def start_next() -> int:
        nonlocal broken
        try:
            return 0 if broken else _start_next(waiting, submit, finished)
        except Suspended as suspended:
            broken = suspended
            return 0

    n_running = sum(start_next() for _ in range(plan.spec.workers))
    while n_running:
        index, future = finished.get()
        n_running -= 1
        try:
            work += future.result()
        except ConfigError as error:
            broken = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the other shards go on
            lost.append(tell_lost(plan, index, in_words(error)))
        n_running += start_next()
        n_done += 1
        tell(n_done, work, tuple(lost))
    if broken:
        raise broken
    return ShardsTaken(work, tuple(lost))


def tell_lost(plan: RunPlan, index: int, problem: str) -> str:
    """Log that a shard is lost; return the line about it, without what follows its first."""
    line = f"shard {index + 1} of {len(plan.shards)}: {problem}"
    log.error("%s", line)
    return line.partition("\n")[0]


def in_words(error: Exception) -> str:
    """Return what went wrong, and where the worker met it if nobody foresaw that."""
    if isinstance(error, VoxlakeError):
        return str(error)
    return "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])


def reduce_lake(lake: str, run_id: str, link: Link, publish: Publish) -> Reduced:
    """Link and publish, again from the start where another run published in between or the storage gave out.

    Raises:
        PublicationRaced: others were faster every time.
        StoreUnreachable: the storage was gone every time.
    """
    for _ in range(_MOST_RACES - 1):
        try:
            return _reduce_once(lake, run_id, link, publish)
        except (PublicationRaced, StoreUnreachable) as passing:
            log.warning("%s", passing)
    return _reduce_once(lake, run_id, link, publish)


def _reduce_once(lake: str, run_id: str, link: Link, publish: Publish) -> Reduced:
    log.info("linking speakers")
    linked = link(lake, run_id)
    log.info("%s; publishing", link_line(linked))
    published = publish(lake, run_id, linked)
    log.info("%s", publish_line(published))
    return Reduced(linked, published)


def summarise(plan: RunPlan, taken: ShardsTaken, reduced: Reduced | None) -> RunSummary:
    """Return what there is to say of a run that is over."""
    spec, lake = plan.spec, Lake(plan.spec.lake)
    archive, sources = archive_key(spec), [listed.obj.source for listed in plan.listed]
    ours = lake.publication(reduced.publish.number) if reduced else lake.latest_publication()
    now, changes = archive_view(lake, ours, archive, sources), None
    if reduced:
        previous = lake.publication(reduced.publish.number - 1)
        added_ms, before = added_audio_ms(lake, previous, ours), archive_view(lake, previous, archive)
        changes = changes_between(before, now, added_ms, reduced.link, reduced.publish)
    standing = tuple(row for row in now.failures if row["source"] in now.present)
    return RunSummary(
        run_id=spec.run_id,
        archive=archive,
        lake=public_url(spec.lake),
        profile=spec.profile,
        is_current=plan.is_current,
        n_listed=len(plan.listed),
        n_ignored=plan.n_ignored,
        n_shards=len(plan.shards),
        lost=taken.lost,
        work=taken.work,
        link=reduced.link if reduced else None,
        publish=reduced.publish if reduced else None,
        failed=tuple(sorted(now.failing)),
        n_failures=len(standing),
        failures=standing[:MOST_ROWS],
        changes=changes,
        wall_ms=round((datetime.now(UTC) - spec.started_at).total_seconds() * 1000),
    )


def keep_link(lake_url: str, run_id: str, report: LinkReport) -> None:
    """Leave what was linked for a flow that publishes it."""
    Lake(lake_url).store.put_json(_link_key(run_id), to_plain(report))


def kept_link(lake_url: str, run_id: str) -> LinkReport | None:
    """Return what ``keep_link`` left, if it was linked on top of what is published now."""
    lake = Lake(lake_url)
    if not lake.store.exists(_link_key(run_id)):
        return None
    report: LinkReport = from_plain(LinkReport, lake.store.read_json(_link_key(run_id)))
    publication = lake.latest_publication()
    return report if report.base_number == (publication.number if publication else 0) else None


def _link_key(run_id: str) -> str:
    return f"linked/{run_id}.json"


def _start_next(
    waiting: Iterator[int], submit: Callable[[int], ShardFuture], finished: queue.SimpleQueue[tuple[int, ShardFuture]]
) -> int:
    """Start the next shard, if there is one; return how many were started."""
    index = next(waiting, None)
    if index is None:
        return 0

    def put(future: ShardFuture) -> None:
        finished.put((index, future))

    submit(index).add_done_callback(put)
    return 1


def _first_record(spec: RunSpec, runner: str) -> RunRecord:
    return RunRecord(
        run_id=spec.run_id,
        started_at=spec.started_at,
        profile=spec.profile,
        settings=_public_settings(spec),
        versions=installed_versions(),
        runner=runner,
    )


def _last_record(record: RunRecord, summary: RunSummary) -> RunRecord:
    return replace(
        record,
        ended_at=record.started_at + timedelta(milliseconds=summary.wall_ms),
        outcome="failed" if summary.lost else "done",
        error="; ".join(summary.lost) or None,
        counts=summary.counts(),
        audio_ms=summary.work.audio_ms,
        wall_ms=summary.wall_ms,
        n_shards=summary.n_shards,
        n_shards_done=summary.n_shards - len(summary.lost),
        stage_ms=summary.work.stage_ms,
        n_failures=summary.work.n_failures,
        publication=summary.publish.number if summary.publish else None,
        changes=summary.changes.counts() if summary.changes else {},
    )


def _public_settings(spec: RunSpec) -> Mapping[str, Any]:
    """Return the settings without credentials that a URL may carry."""
    settings = to_plain(spec)
    urls = {name: public_url(settings[name]) for name in ("archive", "lake", "manifest") if settings[name]}
    return {**settings, **urls}


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and of what is installed among the packages that matter."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
