"""What an archive holds and cannot even be listed as a recording: each is a failure until it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.errors import RecordingError, is_transient
from storage.lake import Lake
from storage.sightings import Sighting
from tasks.planning.spec import RunSpec, archive_key


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingProblem:
    """Something in the archive that cannot even be listed as a recording."""

    source: str
    error: str
    """Class name from ``storage.errors``."""
    message: str
    is_transient: bool


def commit_problems(lake: Lake, spec: RunSpec, problems: Sequence[ListingProblem]) -> None:
    """Commit a failure for each."""
    rows = {"failures": [_failure_row(spec, problem) for problem in problems]}
    lake.write_commit(spec.run_id, rows, [], [_sighting(spec, problem) for problem in problems])


def listing_problem(error: RecordingError) -> ListingProblem:
    """Return what to report of a file or folder that could not be listed."""
    return ListingProblem(
        source=error.subject, error=type(error).__name__, message=error.reason, is_transient=is_transient(error)
    )


def _failure_row(spec: RunSpec, problem: ListingProblem) -> dict[str, Any]:
    return {
        "archive": archive_key(spec),
        "source": problem.source,
        "stage": "probe",
        "recipe": "",
        "run_id": spec.run_id,
        "error": problem.error,
        "message": problem.message,
        "is_transient": problem.is_transient,
        "at": spec.started_at,
    }


def _sighting(spec: RunSpec, problem: ListingProblem) -> Sighting:
    return Sighting(
        archive=archive_key(spec),
        source=problem.source,
        size_bytes=0,
        mark="",
        recording_id=None,
        at=spec.started_at,
    )
