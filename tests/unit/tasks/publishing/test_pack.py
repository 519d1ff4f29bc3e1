"""Packs in a lake: whatever is published, packed, killed and deleted in between, queries see what parts hold."""

import shutil
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from storage.catalog import open_catalog
from storage.lake import Lake
from storage.packs import PACK_RULES, PACKED, read_packs, serve
from storage.store import Store, json_bytes
from tasks.publishing import pack_plan
from tasks.publishing.pack import pack_lake
from tasks.publishing.stale_packs import stale_pack_keys
from tests.text_lakes import publish_texts, rows_of

TEXTS = st.lists(
    st.tuples(st.sampled_from(["spk_1", "spk_2", None]), st.sampled_from(["coal", "the coal mine", "mine", ""])),
    min_size=1,
    max_size=3,
)
SEEN = {
    "transcripts": "SELECT * FROM transcripts",
    "words": "SELECT * FROM words",
    "one speaker": "SELECT * FROM transcripts WHERE speaker_id = 'spk_1'",
    "search": "SELECT * FROM search('coal -pit')",
    "phrase": "SELECT * FROM search('\"coal mine\"', at_most := 5)",
}


class _Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(autouse=True, scope="module")
def _all_is_packed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack_plan, "_FEWEST_PARTS", 1)
        yield


def seen(catalog):
    return {name: rows_of(catalog.execute(sql).to_arrow_table()) for name, sql in SEEN.items()}


class Packing(RuleBasedStateMachine):
    """Publications and packers in any order."""

    @initialize(texts=TEXTS)
    def begin(self, texts):
        self.root = Path(tempfile.mkdtemp(prefix="voxlake-packs-"))
        self.url, self.number, self.parts, self.readers = str(self.root / "lake"), 0, {}, []
        self.publish(0, texts)

    def teardown(self):
        if hasattr(self, "root"):
            self.everybody_sees_what_was_published()
            shutil.rmtree(self.root)

    @rule(index=st.integers(0, 3), texts=TEXTS)
    def publish(self, index, texts):
        self.parts[f"part {index}"] = {f"R{index}": texts}
        self.number += 1
        publish_texts(self.url, self.number, self.parts)

    @rule()
    def name_somebody(self):
        Lake(self.url).name_speaker("spk_1", f"Ada {self.number}")

    @rule()
    def pack(self):
        pack_lake(self.url)
        lake = Lake(self.url)
        assert all(one.stale_share <= 0.2 for one in serve(lake.latest_publication().parts, read_packs(lake)).packs)

    @rule(n_writes=st.integers(0, 7))
    def pack_until_killed(self, n_writes):
        writes = iter(range(n_writes))

        def dying(write):
            def write_or_die(*arguments):
                if next(writes, None) is None:
                    raise _Killed
                return write(*arguments)

            return write_or_die

        with pytest.MonkeyPatch.context() as patch, suppress(_Killed):
            patch.setattr(Store, "put_file", dying(Store.put_file))
            patch.setattr(Store, "create", dying(Store.create))
            pack_lake(self.url)

    @rule(index=st.integers(0, 3), texts=TEXTS)
    def two_pack_while_another_publishes(self, index, texts):
        with pytest.MonkeyPatch.context() as patch:
            put_file, others = Store.put_file, iter([self.publish, pack_lake])

            def overtaken(store, key, path):
                if next(others, None):
                    self.publish(index, texts)
                    pack_lake(self.url)
                put_file(store, key, path)

            patch.setattr(Store, "put_file", overtaken)
            pack_lake(self.url)

    @rule()
    def read_for_long(self):
        catalog = open_catalog(self.url)
        self.readers.append((catalog, seen(catalog)))

    @rule()
    def delete_what_nobody_reads(self):
        """Readers that came before this moment may go on; here nobody does."""
        self.everybody_sees_what_was_published()
        lake = Lake(self.url)
        for key in stale_pack_keys(lake, datetime.now(UTC) + timedelta(hours=1)).keys:
            lake.store.delete(key)

    def everybody_sees_what_was_published(self):
        for catalog, before in self.readers:
            assert seen(catalog) == before
            catalog.close()
        self.readers = []
        fresh = str(self.root / f"fresh {self.number}")
        publish_texts(fresh, 1, self.parts)
        for speaker_id, name in Lake(self.url).names().items():
            Lake(fresh).name_speaker(speaker_id, name)
        with open_catalog(self.url) as catalog, open_catalog(fresh) as expected:
            assert seen(catalog) == seen(expected)
        shutil.rmtree(fresh)


TestPacking = pytest.mark.slow(Packing.TestCase)
TestPacking.settings = settings(
    max_examples=4, stateful_step_count=6, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture
def lake(tmp_path):
    publish_texts(tmp_path, 1, {f"p{index}": {f"R{index}": [("spk_1", "coal"), (None, "mine")]} for index in range(3)})
    return Lake(str(tmp_path))


def test_packs_are_sorted_and_name_their_parts(lake):
    report = pack_lake(lake.url)
    assert (report.n_packs, report.n_parts) == (1, 3)
    (pack,) = read_packs(lake)
    publication = lake.latest_publication()
    assert {part_id: (part.digest, part.n_utterances, part.n_words) for part_id, part in pack.parts.items()} == {
        part.part_id: (part.digest, 2, 2) for part in publication.parts
    }
    rows = pq.read_table(lake.store.path(pack.files["transcripts"])).select(["speaker_id", "recording_id"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        *(("spk_1", f"R{index}") for index in range(3)),
        *((None, f"R{index}") for index in range(3)),
    ]
    assert pack_lake(lake.url).n_packs == 0


def test_a_dry_run_writes_nothing(lake):
    assert pack_lake(lake.url, is_dry_run=True).n_parts == 3
    assert lake.store.list("packs") == []


def test_a_lake_without_a_publication_has_nothing_to_pack(tmp_path):
    assert pack_lake(str(tmp_path)).n_packs == 0


def test_a_pack_whose_file_is_gone_is_not_needed(lake):
    pack_lake(lake.url)
    (pack,) = read_packs(lake)
    lake.store.delete(pack.files["terms"])
    with open_catalog(lake.url) as catalog:
        assert catalog.execute("SELECT count(*) FROM transcripts").fetchall() == [(6,)]


def test_a_pack_of_other_rules_is_left_alone_made_anew_and_deleted(lake):
    files = {"places": "published/packs/places/old-1.parquet"}
    old = {"pack_id": "old", "rules": PACK_RULES - 1, "parts": {"p": "digest"}, "n_bytes": {"p": 1}, "files": files}
    lake.store.create("packs/old.json", json_bytes(old))
    lake.store.put(files["places"], b"")
    assert pack_lake(lake.url).n_parts == 3
    with open_catalog(lake.url) as catalog:
        assert catalog.execute("SELECT count(*) FROM search('coal')").fetchall() == [(3,)]
    stale = stale_pack_keys(lake, datetime.now(UTC) + timedelta(hours=1))
    assert stale.keys == ("packs/old.json", files["places"])


def test_a_lake_in_memory_is_packed(tmp_path):
    url = f"memory://{tmp_path.name}"
    publish_texts(url, 1, {"p": {"R": [("spk_1", "coal")]}})
    assert pack_lake(url).n_packs == 1
    with open_catalog(url) as catalog:
        assert catalog.execute("SELECT text FROM search('coal')").fetchall() == [("coal",)]


# ---- what can be deleted


def test_what_a_reader_of_the_grace_time_uses_stays(lake):
    pack_lake(lake.url)
    begun = datetime.now(UTC)
    assert stale_pack_keys(lake, begun).n == 0
    publish_texts(lake.url, 2, {"p0": {"R0": [("spk_1", "other")]}, "p1": {"R1": [("spk_1", "pit")]}})
    pack_lake(lake.url)
    assert len(read_packs(lake)) == 2
    assert stale_pack_keys(lake, begun).n == 0
    old = stale_pack_keys(lake, datetime.now(UTC) + timedelta(hours=1))
    assert len(old.manifests) == 1
    assert len(old.files) == len(PACKED)
    assert old.n_bytes > 0
    assert old.keys[0].startswith("packs/")


def test_files_of_a_packer_that_was_killed_can_be_deleted_after_the_grace_time(lake, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Store, "create", lambda *_: (_ for _ in ()).throw(_Killed))
        with pytest.raises(_Killed):
            pack_lake(lake.url)
    assert stale_pack_keys(lake, datetime.now(UTC) - timedelta(hours=1)).n == 0
    left = stale_pack_keys(lake, datetime.now(UTC) + timedelta(hours=1))
    assert (len(left.manifests), len(left.files)) == (0, len(PACKED))
