"""Packs of a lake on S3: the same rows as parts hold, whatever is deleted meanwhile."""

from datetime import timedelta

import duckdb
import pytest

from storage import catalog
from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.errors import StorageError
from storage.lake import Lake
from storage.packs import PACKED, read_packs
from storage.store import Store
from tasks.maintenance.maintain import maintain_lake
from tasks.publishing import pack_plan
from tasks.publishing.pack import pack_lake
from tests.text_lakes import publish_texts, rows_of

TEXTS = {f"p{index}": {f"R{index}": [("spk_1", "the coal mine"), (None, "mine")]} for index in range(2)}
SEEN = (
    "SELECT * FROM transcripts",
    "SELECT * FROM words",
    "SELECT count(*) FROM turns",
    "SELECT count(*) FROM coverage",
    "SELECT * FROM search('coal')",
    "SELECT * FROM search('\"coal mine\"', at_most := 5)",
)


@pytest.fixture
def lake(bucket, monkeypatch):
    """Return a lake of two parts."""
    monkeypatch.setattr(pack_plan, "_FEWEST_PARTS", 1)
    publish_texts(f"{bucket}/lake", 1, TEXTS)
    return Lake(f"{bucket}/lake")


def seen(lake):
    with open_catalog(lake.url) as connection:
        return {sql: rows_of(connection.execute(sql).to_arrow_table()) for sql in SEEN}


def test_sql_and_search_find_the_same_in_packs_and_without_a_file_that_just_went(lake, s3, monkeypatch):
    before = seen(lake)
    assert before["SELECT * FROM search('coal')"]
    assert pack_lake(lake.url).n_parts == 2
    s3.requests.clear()
    assert seen(lake) == before
    read = {one.path.partition("/lake/published/")[2] for one in s3.requests if one.method == "GET"}
    assert {path.split("/")[1] for path in read if path.startswith("packs/")} == set(PACKED)

    def read_and_lose(opened):
        packs = read_packs(opened)
        lake.store.delete(packs[0].files["terms"])
        return packs

    monkeypatch.setattr(catalog, "read_packs", read_and_lose)
    assert seen(lake) == before


def test_a_file_that_goes_or_cannot_be_read_under_a_connection_is_an_error_that_says_so(lake, s3):
    pack_lake(lake.url)
    key = read_packs(lake)[0].files["terms"]
    with open_catalog(lake.url) as connection:
        s3.order("answer", "GET", "/packs/(words|terms)/", times=99)
        for sql in ("SELECT * FROM words", "SELECT * FROM search('coal')"):
            with pytest.raises(StorageError, match=r"reduce your request rate.*ask again"), asking(lake.url):
                connection.execute(sql).fetchall()
        s3.faults.clear()
        lake.store.delete(key)
        with pytest.raises(StorageError, match=f"{key}.*ask again"), asking(lake.url):
            connection.execute("SELECT * FROM search('coal')").fetchall()
        assert connection.execute("SELECT count(*) FROM transcripts").fetchall() == [(4,)]
        with pytest.raises(duckdb.BinderException), asking(lake.url):
            connection.execute("SELECT nothing FROM words")


def test_maintenance_deletes_packs_once_nobody_reads_them(lake, monkeypatch):
    pack_lake(lake.url)
    (old,) = read_packs(lake)
    publish_texts(lake.url, 2, TEXTS | {"p0": {"R0": [("spk_1", "the other pit")]}})
    assert maintain_lake(lake.url).deleted == {}
    (new,) = [pack for pack in read_packs(lake) if pack.pack_id != old.pack_id]
    later = lake.store.now() + timedelta(days=8)
    monkeypatch.setattr(Store, "now", lambda _: later)
    assert maintain_lake(lake.url).deleted["packs"] == 1
    assert read_packs(lake) == [new]
    left = {key for table in PACKED for key in lake.store.list(f"published/packs/{table}")}
    assert left == {key.rpartition("/")[2] for key in new.files.values()}
    with open_catalog(lake.url) as connection:
        found = connection.execute("SELECT text FROM search('pit')").fetchall()
        assert (found, connection.execute("SELECT count(*) FROM words").fetchall()) == ([("the other pit",)], [(7,)])
