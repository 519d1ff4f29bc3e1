from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from storage.catalog import open_catalog
from storage.errors import ConfigError
from storage.lake import Lake
from storage.lake_records import Part, Publication
from storage.schemas import PARTS, table_of
from tests.text_lakes import publish_texts

FOLDERS = ("lake", "a b", "l*", "l?", "[l]", "l[1]", "l]x", "it's", "größe", "text=9", "recipe=7", "100%20")


def write_lake(url, text):
    """Write a lake in which one word is published."""
    row = dict.fromkeys(PARTS["words"].names) | {
        "recording_id": "A",
        "source": "a.wav",
        "word_index": 0,
        "utterance_index": 0,
        "start_ms": 0,
        "end_ms": 100,
        "channel": 0,
        "text": text,
        "is_overlapped": False,
        "recipe": "r",
        "run_id": "run",
    }
    lake = Lake(url)
    files = {table: f"published/{table}/part.parquet" for table in PARTS}
    for table, key in files.items():
        lake.store.write_table(key, table_of([row] if table == "words" else [], PARTS[table]))
    part = Part(part_id="part", digest="d", files=files)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    lake.publish(Publication(number=1, run_id="run", at=at, parts=(part,), wholes={}, bases={}))


@pytest.mark.parametrize("protocol", ["", "memory://"])
def test_a_lake_is_read_from_its_own_folder_whatever_its_name(tmp_path, protocol):
    root = f"{protocol}{tmp_path}" if not protocol else f"{protocol}{tmp_path.name}"
    for folder in (*FOLDERS, "l1", "lx", "l"):
        write_lake(f"{root}/{folder}", folder)
    for folder in FOLDERS:
        with open_catalog(f"{root}/{folder}") as catalog:
            assert catalog.execute("SELECT text, recipe, source FROM words").fetchall() == [(folder, "r", "a.wav")]


def test_no_lake_is_said(tmp_path):
    with pytest.raises(ConfigError, match="nothing has been published"):
        open_catalog(str(tmp_path / "nowhere"))


def test_columns_that_came_later_are_null_until_the_lake_is_published_again(tmp_path):
    write_lake(str(tmp_path), "old")
    path = tmp_path / "published/words/part.parquet"
    pq.write_table(pq.ParquetFile(path).read().drop_columns(["other_speaker"]), path)
    with open_catalog(str(tmp_path)) as catalog:
        assert catalog.execute("SELECT text, other_speaker, source FROM words").fetchall() == [("old", None, "a.wav")]


def test_cursors_are_as_quick_as_their_connection_and_show_the_same_instants(tmp_path):
    publish_texts(tmp_path, 1, {"p": {"R": [("spk_1", "coal")]}})
    asked = "SELECT " + ", ".join(
        f"current_setting('{name}')" for name in ("TimeZone", "parquet_metadata_cache", "dynamic_or_filter_threshold")
    )
    with open_catalog(str(tmp_path)) as catalog:
        settings = catalog.execute(asked).fetchone()
        assert settings[:2] == ("UTC", True)
        assert catalog.cursor().execute(asked).fetchone() == settings
