"""A file that crashes libav itself, at its header already, costs only itself: the planner and the rest live on."""

import resource
from pathlib import Path

import pytest

from flows.local import run_local
from storage.records import SourceObject
from tasks.planning.durations import claimed_durations_ms
from tasks.workers import call_in_worker, open_workers
from tests.archives import fake_spec, published_rows, write_archive
from tests.lakes import query

_DEADLY = b"fmt \x10\x00\x00\x00\x01\x00\x02\x00"
"""The beginning of a stereo WAV of 16 bit; all others of the archive are mono."""
_CRASH = f"""
import ctypes
import av
opened = av.open
def open_or_crash(file, *arguments, **options):
    if {_DEADLY!r} in file.read(64):
        ctypes.string_at(0)
    file.seek(0)
    return opened(file, *arguments, **options)
av.open = open_or_crash
"""


@pytest.fixture
def crashing_workers(tmp_path, monkeypatch):
    """Have every process that is started from here on crash, by a true signal, where libav opens a stereo file."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(_CRASH)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{Path.cwd()}")


def write_deadly(path):
    header = b"RIFF\x24\x08\x00\x00WAVE" + _DEADLY + b"\x80\x3e\0\0\0\xfa\0\0\x04\0\x10\0data\0\x08\0\0"
    path.write_bytes(header + b"\0" * 2048)


@pytest.mark.slow
def test_a_file_that_crashes_libav_costs_only_itself(tmp_path, crashing_workers):
    archive, lake = write_archive(tmp_path / "archive", n_recordings=1), tmp_path / "lake"
    write_deadly(archive / "deadly.wav")
    summary = run_local(fake_spec(archive, lake, shard_minutes=60))
    assert not summary.lost
    assert summary.failed == ("broken.mp3", "deadly.wav")
    assert len(published_rows(lake)["recordings"]) == 2
    ((error, message),) = query(lake, "SELECT error, message FROM failures WHERE source = 'deadly.wav'")
    assert error == "WorkerDied"
    assert "signal 11" in message


def test_headers_that_kill_say_no_length_and_others_do(tmp_path, crashing_workers):
    write_archive(tmp_path, n_recordings=2)
    write_deadly(tmp_path / "deadly.wav")
    names = ["deadly.wav", "folder 0/talk 0.wav", "broken.mp3", "folder 1/talk 1.wav"]
    objects = [SourceObject(source=name, size_bytes=(tmp_path / name).stat().st_size, mark="") for name in names]
    with open_workers(1, 1):
        assert claimed_durations_ms(str(tmp_path), objects) == [0, 12_000, 0, 13_000]


def test_a_worker_leaves_no_core_dump_and_goes_first_when_memory_runs_out():
    with open_workers(1, 1):
        assert call_in_worker(resource.getrlimit, resource.RLIMIT_CORE)[0] == 0
        if Path("/proc/self/oom_score_adj").exists():
            assert int(call_in_worker(Path.read_text, Path("/proc/self/oom_score_adj"))) >= 500
