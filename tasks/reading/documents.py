"""Read the lake as documents, one recording after the other: memory follows the recording, time the lake's length."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.formats.document import Document, DocumentTurn, DocumentUtterance, DocumentWord
from storage.lake import Lake
from storage.lake_records import Part
from storage.part_rows import rows_by_recording
from tasks.reading.choose_recordings import ChosenRecording, RecordingFilter, choose_recordings

Row = dict[str, Any]

_WHO = ("speaker_id", "local_speaker")
_TIMED = ("start_ms", "end_ms", "confidence")
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "transcripts": (
        *("utterance_index", *_TIMED, *_WHO, "text", "language"),
        *("speaker_uncertain", "is_overlapped", "flags"),
    ),
    "words": ("utterance_index", *_TIMED, *_WHO, "text", "channel"),
    "turns": (*_TIMED, *_WHO, "channel", "is_exclusive"),
}
_ALL = RecordingFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeDocument:
    """A recording of the lake as text formats take it."""

    path: str
    """Relative path for its files, which no other recording has."""
    document: Document
    n_left_out: int
    """Utterances that were left out for their flags."""


def read_documents(
    lake_url: str, chosen: RecordingFilter = _ALL, *, without_flags: Collection[str] = ()
) -> Iterator[LakeDocument]:
    """Yield the document of each chosen recording that could be read, in the order in which the lake keeps them.

    All are of one publication. Every file of the lake is read once at most, and only those that hold chosen recordings.

    Args:
        lake_url: The lake.
        chosen: Which recordings.
        without_flags: Utterances with any of these flags are left out, and their words.

    Raises:
        ConfigError: there is no lake.
        StorageError: the lake cannot be read.
    """
    lake = Lake(lake_url)
    publication = lake.latest_publication()
    with open_catalog(lake_url, publication) as catalog, asking(lake_url):
        names = dict(catalog.execute("SELECT speaker_id, name FROM speakers WHERE name IS NOT NULL").fetchall())
        parts = {part.part_id: part for part in publication.parts} if publication else {}
        for part_id, recordings in groupby(choose_recordings(catalog, chosen), key=lambda one: one.part_id):
            yield from _part_documents(lake, parts[part_id], list(recordings), names, frozenset(without_flags))


def _part_documents(
    lake: Lake,
    part: Part,
    recordings: list[ChosenRecording],
    names: Mapping[str, str],
    without_flags: frozenset[str],
) -> Iterator[LakeDocument]:
    wanted = [one.recording_id for one in recordings]
    tables = {
        table: _InStep(rows_by_recording(lake, part.files[table], columns, wanted))
        for table, columns in _COLUMNS.items()
    }
    for one in recordings:
        rows = {table: steps.rows_of(one.recording_id) for table, steps in tables.items()}
        for row in (row for some in rows.values() for row in some):
            speaker_id, local_speaker = (row.pop(name) for name in _WHO)
            row["speaker"] = names.get(speaker_id) or speaker_id or local_speaker
        kept = [row for row in rows["transcripts"] if without_flags.isdisjoint(row["flags"])]
        yield LakeDocument(
            path=one.path,
            document=_document(one, kept, rows["words"], rows["turns"]),
            n_left_out=len(rows["transcripts"]) - len(kept),
        )


class _InStep:
    """Rows of recordings that are asked for in the order in which they come."""

    def __init__(self, rows: Iterator[tuple[str, list[Row]]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def rows_of(self, recording_id: str) -> list[Row]:
        """Return a recording's rows; none if the next that come are another's."""
        if self._next is None or self._next[0] != recording_id:
            return []
        found = self._next[1]
        self._next = next(self._rows, None)
        return found


def _document(one: ChosenRecording, utterances: list[Row], words: list[Row], turns: list[Row]) -> Document:
    words_of: dict[int, list[DocumentWord]] = {}
    for row in words:
        words_of.setdefault(row.pop("utterance_index"), []).append(DocumentWord(**row))
    return Document(
        name=one.source,
        recording_id=one.recording_id,
        duration_ms=one.duration_ms,
        language=one.language,
        utterances=tuple(_utterance(row, words_of) for row in utterances),
        turns=tuple(DocumentTurn(**row) for row in turns if not row.pop("is_exclusive")),
    )


def _utterance(row: Row, words_of: Mapping[int, list[DocumentWord]]) -> DocumentUtterance:
    index, is_uncertain, flags = row.pop("utterance_index"), row.pop("speaker_uncertain"), row.pop("flags")
    words = tuple(words_of.get(index, ()))
    return DocumentUtterance(**row, is_uncertain=is_uncertain, flags=tuple(flags), words=words)
