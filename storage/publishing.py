"""Write the published tables: each file once, under a name that says what is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from storage.columns import table_of_columns
from storage.compactions import compaction_key
from storage.lake import Lake
from storage.lake_records import LakeState, Publication
from storage.schemas import WHOLES, table_of
from storage.store import json_bytes

RENEWED_AFTER = timedelta(hours=12)
"""Age from which a file is not relied upon, unless the latest publication names it."""
_DIGEST_DIGITS = 20
_MIRROR = "transcripts"
_SUFFIX = ".parquet"
_MIRROR_STATE = f"{_MIRROR}/.published.json"


def write_whole(lake: Lake, table: str, rows: pa.Table | Sequence[Mapping[str, Any]]) -> str:
    """Write one of the small tables, unless it was written a moment ago; return its key.

    What is there for longer is written again, for maintenance may be about to delete it.
    """
    data = rows if isinstance(rows, pa.Table) else table_of(rows, WHOLES[table])
    key = f"published/{table}/{_content_digest(data)}.parquet"
    modified = lake.store.modified(key)
    if modified is None or datetime.now(UTC) - modified > RENEWED_AFTER:
        lake.store.write_table(key, data)
    return key


def part_key(table: str, part_id: str, digest: str) -> str:
    """Return the key of one part's file of a table."""
    return f"published/{table}/{part_id}-{digest}.parquet"


def inputs_digest(value: object) -> str:
    """Return a digest of JSON values, for naming what is made from them."""
    return hashlib.sha256(json_bytes(value)).hexdigest()[:_DIGEST_DIGITS]


def done_table(state: LakeState) -> pa.Table:
    """Return which commit owns each fact, sorted."""
    of_column = {
        "recording_id": (recording_id for recording_id, _, _ in state.done),
        "stage": (stage for _, stage, _ in state.done),
        "recipe": (recipe for _, _, recipe in state.done),
        "commit_id": state.done.values(),
    }
    return table_of_columns(of_column, WHOLES["done"])


def commit_table(state: LakeState) -> pa.Table:
    """Return where the facts of all commits are."""
    rows = [
        {"commit_id": commit_id, "table": table, "key": key}
        for commit_id in sorted(state.commits)
        for table, key in _places(state, commit_id)
    ]
    return table_of(rows, WHOLES["commits"])


def _places(state: LakeState, commit_id: str) -> list[tuple[str, str]]:
    """Return tables and keys of a commit, as its rows in the index have them."""
    if commit_id in state.compacted:
        return [("", compaction_key(state.compacted[commit_id]))]
    return sorted(state.commits[commit_id].items()) or [("", "")]


def mirror_transcripts(lake: Lake) -> None:
    """Bring ``transcripts/*.parquet`` up to the latest publication: one file per part, each replaced as a whole.

    A reader of the glob sees every utterance once at any moment, since a recording never changes its part. Where
    several runs mirror at once, whoever sees a newer publication begins again, beginning with what it wrote itself.
    What a run that was killed has put there, and no publication since has named, goes too.
    """
    written: dict[str, str | None] = {}
    while (publication := lake.latest_publication()) is not None and not is_mirrored(lake, publication, written):
        state = lake.store.read_json(_MIRROR_STATE) if lake.store.exists(_MIRROR_STATE) else {"parts": {}}
        there = {**state["parts"], **written}
        wanted = {part.part_id: part.digest for part in publication.parts}
        for part in publication.parts:
            if there.get(part.part_id) != part.digest:
                lake.store.put(f"{_MIRROR}/{part.part_id}{_SUFFIX}", lake.store.read(part.files["transcripts"]))
                written[part.part_id] = part.digest
        found = {name.removesuffix(_SUFFIX) for name in lake.store.list(_MIRROR) if name.endswith(_SUFFIX)}
        for part_id in sorted((found | there.keys()) - wanted.keys()):
            lake.store.delete(f"{_MIRROR}/{part_id}{_SUFFIX}")
            written[part_id] = None
        lake.store.put_json(_MIRROR_STATE, {"number": publication.number, "parts": wanted})


def is_mirrored(lake: Lake, publication: Publication, written: Mapping[str, str | None] | None = None) -> bool:
    """Return whether ``transcripts/`` shows that publication, and nothing older that was written over it.

    Args:
        lake: The lake.
        publication: Its latest publication.
        written: Digest of each part that the caller wrote, maybe after somebody else; None of one that it deleted.
    """
    if not lake.store.exists(_MIRROR_STATE):
        return False
    wanted = {part.part_id: part.digest for part in publication.parts}
    is_ours = all(wanted.get(part_id) == digest for part_id, digest in (written or {}).items())
    return is_ours and bool(lake.store.read_json(_MIRROR_STATE)["number"] == publication.number)


def _content_digest(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()[:_DIGEST_DIGITS]
