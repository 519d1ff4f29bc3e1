import pyarrow as pa
import pytest

from storage.addresses import absolute_url, public_url
from storage.errors import ConfigError, SchemaMismatch, StorageError
from storage.store import Store, json_bytes


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    if request.param == "local":
        return Store(str(tmp_path / "root"))
    return Store(f"memory://{tmp_path.name}-store")


def test_what_is_put_is_read(store):
    store.put("a/b.bin", b"\x00one")
    store.put("a/b.bin", b"two")
    assert store.read("a/b.bin") == b"two"
    assert store.list("a") == ["b.bin"]


def test_create_decides_a_race(store):
    assert store.create("n/1.json", b"first")
    assert not store.create("n/1.json", b"second")
    assert store.read("n/1.json") == b"first"


def test_an_absent_folder_is_empty(store):
    assert store.list("nothing/here") == []
    assert not store.exists("nothing/here")


def test_an_absent_object_is_not_found(store):
    with pytest.raises(FileNotFoundError):
        store.read("nothing.json")


def test_delete_twice(store):
    store.put("x", b"1")
    store.delete("x")
    store.delete("x")
    assert not store.exists("x")


def test_names_with_spaces_and_marks(store):
    key = "ordner/größe #1 ?%20.json"
    store.put(key, b"1")
    assert store.read(key) == b"1"
    assert store.list("ordner") == ["größe #1 ?%20.json"]


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    store = Store(str(tmp_path))

    def no_space(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("storage.local_files.os.fsync", no_space)
    with pytest.raises(StorageError, match="free space"):
        store.put("a.json", b"1")
    assert list(tmp_path.iterdir()) == []


def test_a_null_in_a_required_column_is_refused(store):
    schema = pa.schema([pa.field("x", pa.int64(), nullable=False)])
    with pytest.raises(SchemaMismatch):
        store.write_table("t.parquet", pa.Table.from_arrays([pa.array([1, None])], schema=schema))


def test_a_column_that_came_later_is_null_where_it_may_be(store):
    store.write_table("t.parquet", pa.table({"x": [1]}))
    schema = pa.schema([pa.field("later", pa.float32()), pa.field("x", pa.int64())])
    assert store.read_table("t.parquet", schema).to_pylist() == [{"later": None, "x": 1}]


def test_a_table_of_other_columns_is_refused(store):
    store.write_table("t.parquet", pa.table({"x": [1]}))
    with pytest.raises(SchemaMismatch):
        store.read_table("t.parquet", pa.schema([pa.field("y", pa.int64(), nullable=False)]))


def test_unknown_protocol():
    with pytest.raises(ConfigError, match="nosuch"):
        Store("nosuch://place")


def test_public_url_has_no_secret():
    assert public_url("s3://key:secret@bucket/archive?token=x") == "s3://bucket/archive"
    assert public_url("/data/a b?c") == "/data/a b?c"


def test_absolute_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_url("lake") == str(tmp_path / "lake")
    assert absolute_url("s3://bucket/lake/") == "s3://bucket/lake"
    assert absolute_url("memory://") == "memory://"


def test_json_is_canonical():
    assert json_bytes({"b": 1, "a": [1.5, None]}) == b'{"a":[1.5,null],"b":1}'


def test_the_objects_of_a_folder_are_read_in_order(store, monkeypatch):
    for name in ("c", "a", "b"):
        store.put_json(f"events/{name}.json", {"is": name})
    listed = store.list("events")
    store.delete("events/b.json")
    monkeypatch.setattr(Store, "list", lambda *_: listed)  # as if it vanished after the listing
    assert store.read_jsons("events") == {"a.json": {"is": "a"}, "c.json": {"is": "c"}}


def test_a_table_is_read_as_it_is(store):
    table = pa.table({"x": [1], "y": ["a"]})
    store.write_table("t.parquet", table)
    assert store.read_table("t.parquet") == table
    assert store.read_table("t.parquet", pa.schema([("x", pa.int64())])).column_names == ["x"]
