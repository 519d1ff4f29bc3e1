"""What people are told whose query meets a file that somebody has just deleted."""

import pytest

from storage.catalog import open_catalog
from storage.errors import ConfigError, StorageError
from storage.lake import Lake
from tasks.reading import answers, search
from tests.text_lakes import publish_texts


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """Return a lake whose files go as soon as somebody has opened it."""
    publication = publish_texts(tmp_path / "lake", 1, {"p": {"R": [("spk_1", "coal")]}})

    def open_and_lose(url):
        catalog = open_catalog(url)
        for table in ("transcripts", "terms"):
            Lake(url).store.delete(publication.parts[0].files[table])
        return catalog

    for module in (answers, search):
        monkeypatch.setattr(module, "open_catalog", open_and_lose)
    return str(tmp_path / "lake")


@pytest.mark.parametrize(
    "ask",
    [lambda lake: answers.query_lake(lake, "SELECT * FROM transcripts"), lambda lake: search.search_lake(lake, "coal")],
)
def test_a_query_that_meets_a_lost_file_is_not_called_wrong(lake, ask):
    with pytest.raises(StorageError, match=r"published/.*ask again"):
        ask(lake)


@pytest.mark.parametrize("query", ["SELECT * FROM nothing", "SELECT * FROM read_parquet('/nowhere/none.parquet')"])
def test_a_query_that_is_wrong_is(lake, query):
    with pytest.raises(ConfigError, match="query"):
        answers.query_lake(lake, query)
