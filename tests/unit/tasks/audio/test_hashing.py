import hashlib
import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.audio.hashing import HashingReader


class Counted(io.BytesIO):
    """Bytes that count how often each is read."""

    def __init__(self, content):
        super().__init__(content)
        self.n_read = 0

    def read(self, size=-1):
        piece = super().read(size)
        self.n_read += len(piece)
        return piece


def reader_of(content, **sizes):
    file = Counted(content)
    return HashingReader(file, len(content), **sizes), file


def identity(content):
    return hashlib.sha256(content).hexdigest()[:32]


CONTENT = os.urandom(10_000)


@given(
    content=st.binary(max_size=300),
    block=st.integers(1, 40),
    store=st.integers(1, 400),
    steps=st.lists(st.tuples(st.integers(0, 320), st.integers(0, 60)), max_size=20),
)
def test_any_order_gives_the_bytes_and_their_hash(content, block, store, steps):
    reader, _ = reader_of(content, block_bytes=block, store_bytes=store)
    for position, size in steps:
        assert reader.seek(position) == position
        piece = reader.read(size)
        assert content[position : position + size].startswith(piece)
        assert bool(piece) == bool(content[position : position + size])
        assert reader.tell() == position + len(piece)
    assert reader.digest() == identity(content) == reader.digest()
    reader.seek(0)
    assert reader.read() == content


def test_reading_through_fetches_each_byte_once():
    reader, file = reader_of(CONTENT, block_bytes=64, store_bytes=1024)
    while reader.read(48):
        pass
    assert reader.digest() == identity(CONTENT)
    assert file.n_read == reader.fetched_bytes == len(CONTENT)


@pytest.mark.parametrize("index_bytes", [10, 500, 900])
def test_an_index_at_the_end_is_fetched_once_if_the_store_holds_it(index_bytes):
    reader, file = reader_of(CONTENT, block_bytes=64, store_bytes=2048)
    reader.read(64)
    reader.seek(-index_bytes, os.SEEK_END)
    assert reader.read(index_bytes)
    while reader.read(64):
        pass
    reader.seek(64)
    while reader.read(64):
        pass
    assert reader.digest() == identity(CONTENT)
    assert file.n_read == len(CONTENT)


def test_an_index_larger_than_the_store_costs_only_its_own_size_again():
    reader, file = reader_of(CONTENT, block_bytes=64, store_bytes=512)
    reader.seek(7_000)
    while reader.read(64):
        pass
    reader.seek(0)
    while reader.read(64):
        pass
    assert reader.digest() == identity(CONTENT)
    assert file.n_read <= len(CONTENT) + 3_100


def test_the_store_is_bounded():
    reader, _ = reader_of(CONTENT, block_bytes=64, store_bytes=640)
    for position in range(9_000, 0, -100):
        reader.seek(position)
        reader.read(10)
        assert len(reader._store) <= 10


def test_skipping_forward_a_little_reads_what_lies_between():
    reader, file = reader_of(CONTENT, block_bytes=64, store_bytes=2048)
    for position in range(0, 10_000, 500):
        reader.seek(position)
        reader.read(20)
    assert reader.digest() == identity(CONTENT)
    assert file.n_read == len(CONTENT)


def test_a_digest_needs_no_reader():
    reader, file = reader_of(CONTENT)
    assert reader.digest() == identity(CONTENT)
    assert file.n_read == len(CONTENT)


def test_seeking_as_libav_does():
    reader, _ = reader_of(CONTENT)
    assert reader.seek(-1, os.SEEK_END) == 9_999
    assert reader.seek(5, os.SEEK_SET | 0x20000) == 5
    assert reader.seek(5, os.SEEK_CUR) == 10
    assert reader.seek(20_000) == 20_000
    assert reader.read(5) == b""
    with pytest.raises(ValueError, match="cannot seek"):
        reader.seek(-1)


def test_a_file_that_fails_is_remembered():
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise OSError("network")

    reader = HashingReader(Failing(CONTENT), len(CONTENT))
    with pytest.raises(OSError, match="network"):
        reader.read(10)
    assert "network" in str(reader.error)


def test_a_file_that_became_shorter_fails():
    reader = HashingReader(io.BytesIO(CONTENT[:100]), len(CONTENT), block_bytes=64)
    reader.read(64)
    with pytest.raises(OSError, match="shorter"):
        reader.digest()


def test_closing_closes_the_file():
    reader, file = reader_of(CONTENT)
    reader.close()
    assert file.closed
