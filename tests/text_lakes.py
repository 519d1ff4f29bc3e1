"""Lakes of made-up texts, published part by part, for tests of packs and search."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage.lake import Lake
from storage.lake_records import Part, Publication
from storage.publishing import inputs_digest, part_key
from storage.schemas import PARTS, table_of
from storage.terms import index_terms

Texts = Mapping[str, Sequence[tuple[str | None, str]]]
"""Speaker and text of each utterance, by recording."""
AT = datetime(2026, 1, 2, tzinfo=UTC)


def publish_texts(url: Path | str, number: int, parts: Mapping[str, Texts], *, indexed: bool = True) -> Publication:
    """Publish parts of such texts; those that are there already, as they are, are not written again."""
    lake = Lake(str(url))
    written = tuple(write_part(lake, part_id, texts, indexed=indexed) for part_id, texts in sorted(parts.items()))
    publication = Publication(number=number, run_id="run", at=AT, parts=written, wholes={}, bases={})
    assert lake.publish(publication)
    return publication


def write_part(lake: Lake, name: str, texts: Texts, *, indexed: bool = True) -> Part:
    """Write a part's files."""
    part_id = hashlib.sha256(name.encode()).hexdigest()[:12]
    digest = inputs_digest([sorted((one, list(rows)) for one, rows in texts.items()), indexed])
    tables = {table: schema.empty_table() for table, schema in PARTS.items() if indexed or table != "terms"}
    tables["transcripts"] = table_of(
        [row for one in sorted(texts) for row in _utterances(one, texts[one])], PARTS["transcripts"]
    )
    tables["words"] = table_of([row for one in sorted(texts) for row in _words(one, texts[one])], PARTS["words"])
    if indexed:
        tables["terms"] = index_terms(tables["transcripts"])
    files = {table: part_key(table, part_id, digest) for table in tables}
    for table, key in files.items():
        if not lake.store.exists(key):
            lake.store.write_table(key, tables[table])
    return Part(part_id=part_id, digest=digest, files=files)


def _utterances(recording_id: str, texts: Sequence[tuple[str | None, str]]) -> list[dict[str, Any]]:
    return [
        _origin(recording_id)
        | {
            "utterance_index": index,
            "start_ms": 1000 * index,
            "end_ms": 1000 * index + 900,
            "speaker_uncertain": False,
            "text": text,
            "n_words": len(text.split()),
            "flags": [],
            "speaker_id": speaker_id,
            "local_speaker": "S0",
        }
        for index, (speaker_id, text) in enumerate(texts)
    ]


def _words(recording_id: str, texts: Sequence[tuple[str | None, str]]) -> list[dict[str, Any]]:
    said = [(index, who, word) for index, (who, text) in enumerate(texts) for word in text.split()]
    return [
        _origin(recording_id)
        | {
            "word_index": place,
            "utterance_index": index,
            "start_ms": 1000 * index,
            "end_ms": 1000 * index + 50,
            "text": word,
            "speaker_id": who,
        }
        for place, (index, who, word) in enumerate(said)
    ]


def _origin(recording_id: str) -> dict[str, Any]:
    return {
        "recording_id": recording_id,
        "source": f"{recording_id}.wav",
        "channel": 0,
        "is_overlapped": False,
        "recipe": "r",
        "run_id": "run",
    }


def rows_of(table: pa.Table) -> list[str]:
    """Return a table's rows in an order that two tables of the same rows share."""
    return sorted(map(repr, table.to_pylist()))
