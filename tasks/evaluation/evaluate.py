"""Evaluate a lake: read the references, score one recording after the other, sum up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import duckdb

from storage.addresses import public_url
from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.errors import ConfigError
from tasks.evaluation.figures import Figure, ScoredRecording, figures_of
from tasks.evaluation.heard import read_heard
from tasks.evaluation.libraries import require_scorers
from tasks.evaluation.matching import Matched, Names, Unmatched, match
from tasks.evaluation.references import read_references, read_regions
from tasks.evaluation.score import score

SpeakerNames = Literal["shared", "local"]
"""Whether a name in the references is the same person in all of them, or means something in one recording only."""

_RECORDINGS = (
    "SELECT recording_id, source, collection, status, duration_ms FROM recordings ORDER BY source, recording_id"
)
_SOURCES = "SELECT recording_id, source FROM sources WHERE recording_id IS NOT NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How right a lake is."""

    lake: str
    references: str
    names: SpeakerNames
    recordings: tuple[ScoredRecording, ...]
    figures: tuple[Figure, ...]
    missing: tuple[Unmatched, ...]
    """References that are about no recording of the lake."""
    extra: tuple[str, ...]
    """Sources of recordings without a reference: not scored."""
    ignored: tuple[str, ...]
    """Files among the references that are none by their names."""


def evaluate_lake(
    lake_url: str, references_url: str, *, uem_url: str | None = None, names: SpeakerNames = "shared"
) -> Evaluation:
    """Return how right a lake is, by references.

    Args:
        lake_url: The lake.
        references_url: File or folder of RTTM, STM, SegLST and CTM.
        uem_url: UEM file that says what is scored; recordings it does not name are scored whole.
        names: Whether speakers of the references are known across recordings; if not, identity is not scored.

    Raises:
        ConfigError: MeetEval or pyannote.metrics is missing; there is no lake; a reference cannot be read; no
            reference is about a recording of the lake.
        StorageError: the lake or the references could not be reached.
    """
    require_scorers()
    files = read_references(references_url)
    regions = read_regions(uem_url) if uem_url else {}
    with open_catalog(lake_url) as catalog, asking(lake_url):
        known = match(Names(catalog.execute(_SOURCES).fetchall()), files.parts, regions)
        if not known.references:
            problem = f"none of {len(known.missing)} is about a recording of the lake, as {known.missing[0].name!r}"
            raise ConfigError(
                f"references {public_url(references_url)!r}", problem, "name them by the sources of the recordings"
            )
        rows = catalog.execute(_RECORDINGS).fetchall()
        scored = tuple(
            _scored(catalog, row, known, are_shared=names == "shared") for row in rows if row[0] in known.references
        )
    return Evaluation(
        lake=public_url(lake_url),
        references=public_url(references_url),
        names=names,
        recordings=scored,
        figures=figures_of(scored),
        missing=known.missing,
        extra=tuple(source for recording_id, source, *_ in rows if recording_id not in known.references),
        ignored=files.ignored,
    )


def _scored(
    catalog: duckdb.DuckDBPyConnection, row: tuple[Any, ...], known: Matched, *, are_shared: bool
) -> ScoredRecording:
    recording_id, source, collection, status, duration_ms = row
    heard = read_heard(catalog, recording_id, duration_ms)
    reference, regions = known.references[recording_id], known.regions.get(recording_id)
    return ScoredRecording(
        recording_id=recording_id,
        source=source,
        collection=collection,
        status=status,
        duration_ms=heard.duration_ms,
        score=score(reference, heard, regions, are_shared=are_shared),
    )
