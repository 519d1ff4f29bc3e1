"""Every byte of an archive is asked of S3 once, in few requests; what a query reads is little of a file."""

import random

import duckdb
import numpy as np
import pyarrow as pa

from storage.catalog import open_catalog
from storage.store import Store
from tasks.audio.hashing import recording_id_of
from tasks.audio.media import REMOTE_BLOCK_BYTES, open_source
from tests.lakes import fake_spec, run_whole


def fetched(s3, name):
    return [request.n_sent for request in s3.requests if request.method == "GET" and request.path.endswith(name)]


def test_a_large_recording_is_read_in_few_requests_also_when_some_fail(bucket, s3, monkeypatch):
    monkeypatch.setattr("tasks.retries.RETRY_DELAYS_S", (0.0, 0.0))
    data = random.Random(0).randbytes(2 * REMOTE_BLOCK_BYTES + 1000)
    Store(bucket).put("archive/long.wav", data)
    with open_source(f"{bucket}/archive", "long.wav") as reader:
        assert reader.read(10) == data[:10]
        cut = s3.order("cut download", "GET", "/long.wav", times=5)  # more than s3fs takes
        assert reader.digest() == recording_id_of(data)
        assert cut.n_met == 5
        assert reader.fetched_bytes == len(data)
    whole = [n for n in fetched(s3, "/long.wav") if n in {REMOTE_BLOCK_BYTES, 1000}]
    assert whole == [REMOTE_BLOCK_BYTES, REMOTE_BLOCK_BYTES, 1000]


def test_a_run_reads_every_byte_once_and_headers_at_the_plan(archive, upload, bucket, s3):
    far = upload(archive)
    before = len(s3.requests)
    run_whole(fake_spec(far, f"{bucket}/lake"))
    del s3.requests[:before]
    for path in archive.iterdir():
        probed, read = fetched(s3, path.name.replace(" ", "%20"))
        assert read == path.stat().st_size
        assert probed <= 1 << 18
    assert {request.method for request in s3.requests if "/archive" in request.path} <= {"GET", "HEAD"}


def test_a_query_asks_for_what_it_needs(bucket, s3, archive, upload):
    lake = f"{bucket}/lake"
    run_whole(fake_spec(upload(archive), lake))
    with open_catalog(lake) as catalog:
        before = len(s3.requests)
        catalog.execute("SELECT count(*) FROM words WHERE text LIKE 'v9%'").fetchall()
        asked = s3.requests[before:]
    assert {request.method for request in asked} == {"GET"}  # and not a dozen times what each file is
    assert len(asked) <= 3


def test_of_a_large_file_a_query_reads_the_columns_it_names(bucket, s3):
    store, rng = Store(bucket), np.random.default_rng(0)
    columns = {name: rng.integers(0, 1 << 62, 500_000) for name in ("x", "y", "z")}
    store.write_table("tables/big.parquet", pa.table(columns))
    store.learn_names("tables")
    with duckdb.connect() as connection:
        connection.register_filesystem(store.fs)
        connection.execute(f"SELECT sum(x) FROM read_parquet('{bucket}/tables/big.parquet')").fetchall()
    assert 3_500_000 < sum(fetched(s3, "/big.parquet")) < 6_000_000
