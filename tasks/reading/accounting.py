"""Proves that every millisecond of a lake's recordings has a status, or says which has none.

The proof is exact and takes one pass: each span of ``coverage`` must begin where the one before it ended, the first of
a recording at 0, the last at its duration. Spans lie in the lake in that order, so a streaming window sees each with
its predecessor and memory follows the number of recordings, never their length. What breaks the chain is looked at
again in order of time, to say where.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import duckdb

from storage.addresses import public_url
from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.errors import ConfigError
from storage.lake import Lake
from tasks.planning.shards import HOUR_MS
from tasks.reading.standing import pending_recordings

ProblemKind = Literal[
    "gap", "overlap", "empty", "beyond_end", "partial", "unreadable", "unread", "pending", "unpublished"
]

_DOUBTFUL = """
    CREATE TEMP TABLE doubtful AS
    WITH spans AS (
        SELECT recording_id, start_ms, end_ms, lag(recording_id) OVER () AS before_id, lag(end_ms) OVER () AS before_ms
        FROM coverage
    ), chains AS (
        SELECT recording_id, max(end_ms) AS last_ms, count(*) FILTER (before_id IS DISTINCT FROM recording_id) AS n,
               bool_and(start_ms < end_ms AND start_ms = if(recording_id = before_id, before_ms, 0)) AS is_unbroken
        FROM spans SEMI JOIN asked USING (recording_id) GROUP BY recording_id
    )
    SELECT recording_id, source, coalesce(duration_ms, 0) AS duration_ms
    FROM asked LEFT JOIN chains USING (recording_id)
    WHERE coalesce(duration_ms, 0) <> coalesce(last_ms, 0) OR NOT is_unbroken OR n > 1"""
"""Recordings whose spans are not one chain from 0 to the end, as they lie in the lake.

The window is over nothing but the files: over a join DuckDB would hold all of it at once.
"""

_FAULTS = """
    WITH spans AS (
        SELECT recording_id, source, start_ms, end_ms, duration_ms, false AS is_end
        FROM coverage JOIN doubtful USING (recording_id)
        UNION ALL
        SELECT recording_id, source, duration_ms, duration_ms, duration_ms, true FROM doubtful
    ), in_order AS (
        SELECT *, coalesce(max(end_ms) OVER (PARTITION BY recording_id ORDER BY start_ms, end_ms
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS until_ms
        FROM spans
    )
    SELECT source, recording_id, 'gap', until_ms, start_ms FROM in_order WHERE start_ms > until_ms
    UNION ALL
    SELECT source, recording_id, 'overlap', start_ms, least(end_ms, until_ms) FROM in_order
    WHERE start_ms < least(end_ms, until_ms)
    UNION ALL
    SELECT source, recording_id, 'empty', start_ms, end_ms FROM in_order WHERE end_ms <= start_ms AND NOT is_end
    UNION ALL
    SELECT source, recording_id, 'beyond_end', any_value(duration_ms), max(end_ms) FROM in_order
    GROUP BY recording_id, source HAVING max(end_ms) > any_value(duration_ms)"""
"""What is wrong in those, each span compared with all that begin before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSum:
    """All spans of one status."""

    status: str
    n_spans: int
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageProblem:
    """Something that has no status, or more than one."""

    source: str
    recording_id: str | None
    """None where the bytes could not be read, or were not yet."""
    problem: ProblemKind
    """``docs/command-line.md`` explains each."""
    start_ms: int | None = None
    end_ms: int | None = None
    """The stretch concerned; None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageProof:
    """What became of all the time of the recordings asked for."""

    lake: str
    n_recordings: int
    """Recordings that could be decoded."""
    duration_ms: int
    """Sum of their durations."""
    statuses: tuple[StatusSum, ...]
    """Sorted by status."""
    problems: tuple[CoverageProblem, ...]
    """Sorted by source and start."""

    @property
    def covered_ms(self) -> int:
        """Sum of all spans; the duration where everything is complete."""
        return sum(one.duration_ms for one in self.statuses)

    @property
    def is_complete(self) -> bool:
        """Whether every millisecond has exactly one status."""
        return not self.problems and self.covered_ms == self.duration_ms


def prove_coverage(lake_url: str, recording: str | None = None) -> CoverageProof:
    """Return the sums by status of the published lake, and all that stands in the way of completeness.

    Args:
        lake_url: The lake.
        recording: Only the recording of this ID, or those found under this source; None for all.

    Raises:
        ConfigError: there is no lake at the URL, or no such recording in it.
    """
    with open_catalog(lake_url) as catalog, asking(lake_url):
        n_recordings, duration_ms = _choose(catalog, recording)
        statuses = tuple(_sums(catalog))
        problems = [*_undecoded(catalog), *_broken(catalog)]
        problems += [one for one in _nameless(lake_url, catalog) if recording in {None, one.source, one.recording_id}]
    if recording is not None and not n_recordings and not problems:
        raise ConfigError(f"recording {recording!r}", "is not in the lake", "give a source or a recording_id of it")
    return CoverageProof(
        lake=public_url(lake_url),
        n_recordings=n_recordings,
        duration_ms=duration_ms,
        statuses=statuses,
        problems=tuple(sorted(problems, key=lambda one: (one.source, one.start_ms or 0, one.problem))),
    )


def coverage_json(proof: CoverageProof) -> dict[str, Any]:
    """Return the proof for programs."""
    return {
        "lake": proof.lake,
        "is_complete": proof.is_complete,
        "n_recordings": proof.n_recordings,
        "duration_ms": proof.duration_ms,
        "covered_ms": proof.covered_ms,
        "statuses": [
            asdict(one)
            | {
                "hours": round(one.duration_ms / HOUR_MS, 4),
                "share": round(one.duration_ms / proof.covered_ms, 6) if proof.covered_ms else None,
            }
            for one in proof.statuses
        ],
        "problems": [asdict(one) for one in proof.problems],
    }


def _choose(catalog: duckdb.DuckDBPyConnection, recording: str | None) -> tuple[int, int]:
    """Make ``asked``, the recordings in question, and return how many could be decoded, and their total duration."""
    catalog.execute(
        """
        CREATE TEMP TABLE asked AS SELECT recording_id, source, status, duration_ms FROM recordings
        WHERE $1 IS NULL OR recording_id = $1
           OR recording_id IN (SELECT recording_id FROM sources WHERE source = $1)""",
        [recording],
    )
    (row,) = catalog.execute("SELECT count(duration_ms), coalesce(sum(duration_ms), 0)::BIGINT FROM asked").fetchall()
    return row[0], row[1]


def _sums(catalog: duckdb.DuckDBPyConnection) -> Iterator[StatusSum]:
    found = catalog.execute(
        """
        SELECT status, count(*), sum(end_ms - start_ms)::BIGINT
        FROM coverage SEMI JOIN asked USING (recording_id) GROUP BY 1 ORDER BY 1"""
    )
    for status, n_spans, duration_ms in found.fetchall():
        yield StatusSum(status=status, n_spans=n_spans, duration_ms=duration_ms)


def _broken(catalog: duckdb.DuckDBPyConnection) -> Iterator[CoverageProblem]:
    """Yield where spans do not tile their recordings."""
    catalog.execute(_DOUBTFUL)
    yield from _problems(catalog.execute(_FAULTS))


def _undecoded(catalog: duckdb.DuckDBPyConnection) -> Iterator[CoverageProblem]:
    """Yield what could not be decoded: recordings as a whole, or what comes after the part that could."""
    found = catalog.execute(
        """
        SELECT source, recording_id, if(duration_ms IS NULL, 'unreadable', 'partial'), duration_ms, NULL
        FROM asked WHERE duration_ms IS NULL OR status = 'partial'"""
    )
    yield from _problems(found)


def _nameless(lake_url: str, catalog: duckdb.DuckDBPyConnection) -> Iterator[CoverageProblem]:
    """Yield what is in no published table yet: files that cannot be read, that are to be done, or to be published."""
    unread = catalog.execute(
        "SELECT DISTINCT source, NULL, 'unread', NULL, NULL FROM failures WHERE recording_id IS NULL"
    )
    yield from _problems(unread)
    lake = Lake(lake_url)
    state = lake.state()
    known = {recording_id for (recording_id,) in catalog.execute("SELECT recording_id FROM recordings").fetchall()}
    for one in pending_recordings(lake, state):
        if one.recording_id not in known:
            yield CoverageProblem(source=one.obj.source, recording_id=one.recording_id, problem="pending")
    for seen in state.sightings:
        if state.has_unpublished_commits and seen.recording_id is not None and seen.recording_id not in known:
            yield CoverageProblem(source=seen.source, recording_id=seen.recording_id, problem="unpublished")


def _problems(found: duckdb.DuckDBPyConnection) -> Iterator[CoverageProblem]:
    for source, recording_id, problem, start_ms, end_ms in found.fetchall():
        yield CoverageProblem(
            source=source, recording_id=recording_id, problem=problem, start_ms=start_ms, end_ms=end_ms
        )
