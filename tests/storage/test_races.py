"""Whoever creates an object first has created it, and nobody else, on any storage."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from storage.errors import ConfigError
from storage.store import Store

_IN_PROCESS = """
import sys
from storage.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(*(store.create(f"race/{n}", sys.argv[2].encode()) for n in range(20)))
"""


@pytest.fixture(params=["local", "memory", "s3"])
def root(request, tmp_path):
    if request.param == "s3":
        return f"{request.getfixturevalue('bucket')}/lake"
    return f"memory://{tmp_path.name}-races" if request.param == "memory" else str(tmp_path)


def test_of_many_threads_one_creates_the_object(root):
    n_writers, n_objects = 8, 10
    start = threading.Barrier(n_writers)

    def write(number):
        store = Store(root)
        start.wait()
        return [store.create(f"race/{n}", b"%d" % number) for n in range(n_objects)]

    with ThreadPoolExecutor(n_writers) as pool:
        won = list(pool.map(write, range(n_writers)))
    for n in range(n_objects):
        (winner,) = [number for number in range(n_writers) if won[number][n]]
        assert Store(root).read(f"race/{n}") == b"%d" % winner


@pytest.mark.parametrize("root", ["local", "s3"], indirect=True)
def test_of_many_processes_one_creates_the_object(root):
    command = [sys.executable, "-c", _IN_PROCESS, root]
    writers = [
        subprocess.Popen([*command, f"{number}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(3)
    ]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 3
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    won = [writer.communicate()[0].split() for writer in writers]
    for n in range(20):
        (winner,) = [number for number in range(3) if won[number][n] == "True"]
        assert Store(root).read(f"race/{n}") == b"%d" % winner


def test_two_writers_of_the_same_bytes_are_two(root):
    assert Store(root).create("lock", b"")
    assert not Store(root).create("lock", b"")


def test_an_object_of_many_parts_is_created_once(bucket, s3, monkeypatch):
    store = Store(bucket)
    monkeypatch.setattr(store.fs, "pipe_file", partial(store.fs.pipe_file, chunksize=5 << 20))  # instead of 50
    assert store.create("large", bytes(11 << 20))
    assert not store.create("large", b"1" * (11 << 20))
    assert store.read("large") == bytes(11 << 20)
    completed = [request.status for request in s3.requests if request.method == "POST" and "uploadId" in request.path]
    assert completed == [200, 412]


def test_an_object_whose_answer_was_lost_is_ours(bucket, s3):
    lost = s3.order("lose answer", "PUT", "/won$", times=1)
    assert Store(bucket).create("won", b"1")
    assert lost.n_met == 1
    assert [request.status for request in s3.requests if request.path.endswith("/won")] == [412, 200]  # the HEAD
    assert not Store(bucket).create("won", b"1")


def test_writers_in_each_others_way_try_again(bucket, s3):
    s3.order("answer", "PUT", "/key$", status=409, code="ConditionalRequestConflict", message="in the way")
    assert Store(bucket).create("key", b"1")


@pytest.mark.parametrize("body", ["", "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>"])
def test_a_refusal_in_fewer_words_than_those_of_aws_is_one(bucket, s3, body):
    store = Store(bucket)
    store.put("key", b"1")
    s3.order("answer", "PUT", "/key$", status=412, code="PreconditionFailed" if body else "", message="no")
    assert not store.create("key", b"2")


def test_storage_that_ignores_conditions_is_refused(tmp_path, monkeypatch):
    store = Store(f"memory://{tmp_path.name}")
    monkeypatch.setattr(type(store.fs), "pipe_file", lambda self, path, value, mode: self.store.update({path: value}))
    with pytest.raises(ConfigError, match="If-None-Match"):
        store.check_conditions("plans/run.json")
