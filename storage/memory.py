"""What linking remembers of the people in a lake from one publication to the next."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from storage.errors import SchemaMismatch
from storage.lake import Lake
from storage.lake_records import Publication
from storage.publishing import write_whole
from storage.schemas import MEMORY

VOICES_FOLDER = "published/voices"
"""Holds voices of people, and has to be emptied when somebody is to be forgotten."""


def write_memory(lake: Lake, tables: Mapping[str, pa.Table]) -> dict[str, str]:
    """Write the tables and return their keys, for the publication."""
    return {table: write_whole(lake, table, tables[table]) for table in MEMORY}


def read_memory(lake: Lake, publication: Publication | None) -> dict[str, pa.Table] | None:
    """Return the tables of a publication; None where there are none, not any more, or those of another version."""
    if publication is None or not MEMORY.keys() <= publication.wholes.keys():
        return None
    keys = {table: publication.wholes[table] for table in MEMORY}
    if not all(lake.store.exists(key) for key in keys.values()):
        return None
    try:
        return {table: lake.store.read_table(key, MEMORY[table]) for table, key in keys.items()}
    except SchemaMismatch:
        return None
