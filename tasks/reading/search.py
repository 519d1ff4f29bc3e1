"""Find utterances by their words, with what was said around them, and say where in a text the words are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.errors import ConfigError
from storage.search import read_query
from tasks.people.who import find_speaker

_FOUND = """
    SELECT recording_id, source, utterance_index, start_ms, end_ms, speaker_id, score, text,
           coalesce(speaker_name, speaker_id, local_speaker) AS speaker, published.pieces_of(text) AS pieces
    FROM {found}
    WHERE ($speaker_id IS NULL OR speaker_id = $speaker_id)
      AND ($collection IS NULL OR recording_id IN (SELECT recording_id FROM recordings WHERE collection = $collection))
    ORDER BY score DESC, recording_id, utterance_index LIMIT $most"""
_AROUND = """
    SELECT h.place, t.utterance_index - h.utterance_index AS distance, t.start_ms, t.end_ms, t.text,
           coalesce(t.speaker_name, t.speaker_id, t.local_speaker) AS speaker
    FROM (SELECT unnest($places::STRUCT(place INTEGER, recording_id VARCHAR, utterance_index INTEGER)[],
                        max_depth := 2)) h
    JOIN transcripts t ON t.recording_id = h.recording_id
     AND t.utterance_index BETWEEN h.utterance_index - $n_around AND h.utterance_index + $n_around
    ORDER BY h.place, distance"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An utterance beside one that was found."""

    start_ms: int
    end_ms: int
    speaker: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An utterance that was found."""

    source: str
    recording_id: str
    utterance_index: int
    start_ms: int
    end_ms: int
    speaker_id: str | None
    speaker: str | None
    """Name, speaker_id or local speaker, whichever there is."""
    text: str
    marks: tuple[tuple[int, int], ...]
    """Where in the text the words are that were looked for: half-open spans of characters."""
    score: float
    before: tuple[Line, ...] = ()
    after: tuple[Line, ...] = ()


def search_lake(
    lake_url: str,
    query: str,
    *,
    limit: int = 20,
    speaker: str | None = None,
    collection: str | None = None,
    n_around: int = 0,
) -> list[Hit]:
    """Return the utterances that fit a query best, the best first.

    Args:
        lake_url: The lake.
        query: Words, as ``storage.search`` has them.
        limit: How many at most.
        speaker: Only what this person says, by ID or name.
        collection: Only in recordings of this collection.
        n_around: How many utterances before and after each are wanted too.

    Raises:
        ConfigError: there is no lake, the speaker is not in it, or the query looks for nothing.
        StorageError: a file of the lake cannot be read.
    """
    speaker_id = find_speaker(lake_url, speaker) if speaker else None
    with open_catalog(lake_url) as catalog, asking(lake_url):
        wanted = _wanted(catalog, query)
        narrowed = speaker_id or collection
        found = _FOUND.format(found="search($query)" if narrowed else "search($query, at_most := $most)")
        values = {"query": query, "most": limit, "speaker_id": speaker_id, "collection": collection}
        rows = _rows(catalog, found, values)
        around = _around(catalog, rows, n_around) if n_around and rows else {}
    hits = []
    for place, row in enumerate(rows):
        marks = mark(row.pop("pieces"), wanted)
        lines = around.get(place, {})
        before = tuple(line for distance, line in sorted(lines.items()) if distance < 0)
        after = tuple(line for distance, line in sorted(lines.items()) if distance > 0)
        hits.append(Hit(**row, marks=tuple(marks), before=before, after=after))
    return hits


def mark(pieces: Sequence[Mapping[str, Any]], wanted: Sequence[tuple[str, bool]]) -> Iterator[tuple[int, int]]:
    """Yield spans of a text's characters that are looked for. Pure.

    Args:
        pieces: The text in pieces, each with its ``terms``; ``is_spaceless`` where several of them overlap in it.
        wanted: Terms, and whether others that begin so are meant too.
    """
    start = 0
    for piece in pieces:
        text, terms = piece["piece"], piece["terms"]
        fitting = [
            term
            for term in terms
            if any(term == one or (is_prefix and term.startswith(one)) for one, is_prefix in wanted)
        ]
        if fitting and not piece["is_spaceless"]:
            yield start, start + len(text)
        elif fitting:
            yield from _runs(start, terms, fitting, wanted)
        start += len(text)


def _runs(
    start: int, terms: Sequence[str], fitting: Sequence[str], wanted: Sequence[tuple[str, bool]]
) -> Iterator[tuple[int, int]]:
    """Yield spans of a text without spaces, of which each character begins a term."""
    length = max(len(one) for one, _ in wanted if any(term.startswith(one) for term in fitting))
    marked = [False] * (len(terms) + length)
    for place, term in enumerate(terms):
        if term in fitting:
            marked[place : place + length] = [True] * length
    place = 0
    while place < len(terms):
        end = place
        while end < len(terms) and marked[end]:
            end += 1
        if end > place:
            yield start + place, start + end
        place = end + 1


def _wanted(catalog: duckdb.DuckDBPyConnection, query: str) -> list[tuple[str, bool]]:
    wanted = [(word.term, word.is_prefix) for word in read_query(catalog, query).words if not word.is_excluded]
    if not wanted:
        raise ConfigError(f"query {query!r}", "has no word to look for", "see docs/search.md")
    return wanted


def _around(
    catalog: duckdb.DuckDBPyConnection, rows: Sequence[Mapping[str, Any]], n_around: int
) -> dict[int, dict[int, Line]]:
    """Return the utterances around each row, by their distance."""
    places = [
        {"place": place, "recording_id": row["recording_id"], "utterance_index": row["utterance_index"]}
        for place, row in enumerate(rows)
    ]
    lines: dict[int, dict[int, Line]] = defaultdict(dict)
    for row in _rows(catalog, _AROUND, {"places": places, "n_around": n_around}):
        place, distance = row.pop("place"), row.pop("distance")
        lines[place][distance] = Line(**row)
    return lines


def _rows(catalog: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = catalog.execute(sql, values).to_arrow_table().to_pylist()
    return rows
