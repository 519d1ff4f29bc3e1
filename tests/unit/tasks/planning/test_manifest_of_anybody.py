"""A manifest from anybody: hints, or an error that names the place; never anything else, and never much memory."""

import contextlib
import io
import json
import resource

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import ManifestInvalid
from tasks.planning.manifest import COLUMNS, read_manifest

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
rows = st.lists(st.dictionaries(st.sampled_from(sorted(COLUMNS)) | st.text(max_size=5), values, max_size=5), max_size=4)


def read(folder, content, suffix):
    path = folder / f"manifest.{suffix}"
    path.write_bytes(content)
    return read_manifest(str(path))


@given(rows=rows)
def test_json_of_any_types_is_read_or_refused(tmp_path_factory, rows):
    content = "\n".join(map(json.dumps, rows)).encode()
    with contextlib.suppress(ManifestInvalid):
        for source, hints in read(tmp_path_factory.mktemp("manifest"), content, "jsonl").items():
            f"{source}{hints}".encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"source": ' + b"[" * 100_000, "cannot be understood|not JSON"),
        (b'{"source": "a.wav", "speakers": ' + b"9" * 5_000 + b"}", "cannot be understood"),
        (b'{"source": "a.wav", "title": "\\ud800"}', "half a character"),
        (b'{"source": "a.wav", "title": "' + b"x" * 200_000 + b'"}', "200000 characters"),
    ],
)
def test_json_that_no_table_can_hold_is_refused(tmp_path, content, reason):
    with pytest.raises(ManifestInvalid, match=reason):
        read(tmp_path, content, "jsonl")


def test_a_field_of_a_csv_may_not_be_endless(tmp_path):
    with pytest.raises(ManifestInvalid, match="field larger"):
        read(tmp_path, b"source,title\na.wav," + b"x" * 200_000 + b"\n", "csv")


def parquet(table):
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


@settings(max_examples=25)
@given(at=st.integers(min_value=4, max_value=500), byte=st.integers(0, 255))
def test_a_damaged_parquet_is_read_or_refused(tmp_path_factory, at, byte):
    content = bytearray(parquet(pa.table({"source": ["a.wav", "b.wav"], "title": ["x", None]})))
    content[at % len(content)] = byte
    with contextlib.suppress(ManifestInvalid):
        read(tmp_path_factory.mktemp("manifest"), bytes(content), "parquet")


def test_a_small_parquet_does_not_become_gigabytes(tmp_path, monkeypatch):
    """One long text, repeated: packed into kilobytes, a table of it would take 4 GB."""
    index = pa.array([0] * 40_000, pa.int32())
    long = pa.DictionaryArray.from_arrays(index, pa.array(["x" * 100_001]))
    sources = pa.array([f"{number}.wav" for number in range(40_000)])
    content = parquet(pa.table({"source": sources, "title": long}))
    assert len(content) < 1 << 20
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ManifestInvalid, match="row 1: a field has 100001 characters"):
        read(tmp_path, content, "parquet")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 1 << 19
    monkeypatch.setattr("tasks.planning.manifest._MOST_ROWS", 1_000)
    with pytest.raises(ManifestInvalid, match="it has 40000 rows"):
        read(tmp_path, content, "parquet")
