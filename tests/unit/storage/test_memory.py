from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from storage.lake import Lake
from storage.lake_records import Publication
from storage.memory import read_memory, write_memory
from storage.schemas import MEMORY


def published(url):
    """A lake that remembers nobody, and what it has published."""
    lake = Lake(url)
    keys = write_memory(lake, {table: schema.empty_table() for table, schema in MEMORY.items()})
    at = datetime(2026, 1, 2, tzinfo=UTC)
    return lake, Publication(number=1, run_id="run", at=at, parts=(), wholes=keys, bases={})


def test_what_was_written_is_read(tmp_path):
    lake, publication = published(str(tmp_path))
    assert read_memory(lake, publication) == {table: schema.empty_table() for table, schema in MEMORY.items()}
    assert read_memory(lake, None) is None


def test_the_memory_of_another_version_is_none(tmp_path):
    lake, publication = published(str(tmp_path))
    pq.write_table(pa.table({"model": pa.array([], pa.string())}), tmp_path / publication.wholes["spaces"])
    assert read_memory(lake, publication) is None
