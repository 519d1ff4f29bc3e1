"""Write compactions: the facts of many commits again, in one file per table."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from storage.compactions import (
    INDEX,
    LONGEST_WRITE,
    Compaction,
    compacted_schema,
    read_compactions,
    with_commit,
    write_compacted,
    write_compaction,
)
from storage.errors import SchemaMismatch, StorageError, TableGone
from storage.lake import Lake
from storage.lake_records import Commit, LakeState
from storage.schemas import FACTS, SIGHTINGS, table_of
from tasks.linking.forgotten import erase_from
from tasks.maintenance.choose import Unit, choose_groups

_READS_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactReport:
    """What was put together, or would be."""

    n_commits: int = 0
    """Commits that were alone before."""
    n_compactions: int = 0
    """Written."""


class _UnreadableError(Exception):
    """A unit cannot be compacted: another version wrote it, or its files are gone."""


def compact_facts(lake: Lake, *, is_dry_run: bool = False) -> CompactReport:
    """Put facts of many commits together; whose facts count, and what is read of them, stays as it is.

    Others may run, publish, forget and maintain at the same time. Whoever is killed here leaves files that nobody
    reads.

    Args:
        lake: The lake.
        is_dry_run: Only say what there is to put together.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    state = lake.state()
    compactions = _that_are_read(lake, state)
    n_commits = n_compactions = 0
    for group in choose_groups(_units(lake, state, compactions)):
        taken = group if is_dry_run else _compact(lake, state, compactions, group)
        n_commits += sum(not one.is_compacted for one in taken)
        n_compactions += bool(taken)
    return CompactReport(n_commits=n_commits, n_compactions=n_compactions)


def _that_are_read(lake: Lake, state: LakeState) -> dict[str, Compaction]:
    """Return compactions by name, each with those of its commits that are read in it."""
    found = {}
    for one in read_compactions(lake.store):
        ours = {name: run for name, run in one.commits.items() if state.compacted.get(name) == one.compaction_id}
        if ours:
            found[one.compaction_id] = replace(one, commits=ours)
    return found


def _units(lake: Lake, state: LakeState, compactions: Mapping[str, Compaction]) -> list[Unit]:
    sizes: dict[str, int] = {}
    for table in FACTS:
        for name, entry in lake.store.entries(f"facts/{table}").items():
            stem = name.removesuffix(".parquet")
            sizes[stem] = sizes.get(stem, 0) + entry.size_bytes
    alone = [name for name in sorted(state.commits) if name not in state.compacted]
    return [
        *(Unit(unit_id=name, n_bytes=sizes.get(name, 0), first_commit=name, is_compacted=False) for name in alone),
        *(
            Unit(unit_id=name, n_bytes=sizes.get(name, 0), first_commit=min(one.commits), is_compacted=True)
            for name, one in compactions.items()
        ),
    ]


def _compact(
    lake: Lake, state: LakeState, compactions: Mapping[str, Compaction], group: Sequence[Unit]
) -> Sequence[Unit]:
    """Make one compaction of a group and return which units are in it; what cannot be read stays as it is."""
    commits = lake.read_commits([one.unit_id for one in group if not one.is_compacted])
    parts: dict[str, Commit | Compaction] = {
        **commits,
        **{one.unit_id: compactions[one.unit_id] for one in group if one.is_compacted},
    }
    while len(taken := [one for one in group if one.unit_id in parts]) > 1:
        try:
            _write(lake, state, [parts[one.unit_id] for one in taken])
        except _UnreadableError as error:
            del parts[str(error)]
        else:
            return taken
    return []


def _write(lake: Lake, state: LakeState, parts: Sequence[Commit | Compaction]) -> None:
    """Write a compaction.

    A person may be forgotten while it is made: see ``erase_from``.
    """
    begun = datetime.now(UTC)
    compaction_id = f"{begun:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
    files = {}
    for table in (*INDEX, *FACTS):
        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
            pieces = [rows for rows in pool.map(partial(_rows, lake, table), parts) if len(rows)]
        if pieces or table in INDEX:
            files[table] = f"facts/{table}/{compaction_id}.parquet"
            write_compacted(lake.store, files[table], table, pa.concat_tables([_schema(table).empty_table(), *pieces]))
    erase_from(lake, state, [files["fingerprints"]] if "fingerprints" in files else [])
    if datetime.now(UTC) - begun > LONGEST_WRITE / 2:
        raise StorageError(f"compaction {compaction_id}", "took so long that it may be cleaned away", "begin again")
    commits = {name: run for part in parts for name, run in _runs(part).items()}
    write_compaction(lake.store, Compaction(compaction_id=compaction_id, commits=commits, files=files))


def _rows(lake: Lake, table: str, part: Commit | Compaction) -> pa.Table:
    """Return a part's rows of a table, each with its commit."""
    if isinstance(part, Commit) and table in INDEX:
        return _index_rows(part, table)
    if table not in part.files:
        return _schema(table).empty_table()
    try:
        if isinstance(part, Commit):
            return with_commit(lake.store.read_table(part.files[table], FACTS[table]), part.commit_id)
        rows = lake.store.read_table(part.files[table], _schema(table))
    except (SchemaMismatch, TableGone) as cause:
        raise _UnreadableError(part.commit_id if isinstance(part, Commit) else part.compaction_id) from cause
    return rows.filter(pc.is_in(rows["commit_id"], value_set=pa.array(sorted(part.commits), pa.string())))


def _index_rows(commit: Commit, table: str) -> pa.Table:
    if table == "sightings":
        return table_of([asdict(one) | {"commit_id": commit.commit_id} for one in commit.sightings], SIGHTINGS)
    done = [(*key, commit.commit_id) for key in commit.done]
    return table_of([dict(zip(INDEX["done"].names, row, strict=True)) for row in done], INDEX["done"])


def _schema(table: str) -> pa.Schema:
    return INDEX[table] if table in INDEX else compacted_schema(table)


def _runs(part: Commit | Compaction) -> Mapping[str, str]:
    return {part.commit_id: part.run_id} if isinstance(part, Commit) else part.commits
