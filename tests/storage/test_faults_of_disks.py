"""A disk that is full, may not be written, or loses the lake: said, and the next run completes it."""

import errno
import os
import shutil
import subprocess

import pytest

from storage.errors import StorageError, is_transient
from tasks.linking.lake import link_lake
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tasks.publishing.publish import publish_lake
from tasks.stages.run_shard import run_shard
from tests.lakes import fake_spec, lake_rows, run_whole, write_archive

_FSYNC = os.fsync


@pytest.fixture
def archive(tmp_path):
    return write_archive(tmp_path / "archive")


@pytest.fixture
def undisturbed(archive, tmp_path):
    run_whole(fake_spec(archive, tmp_path / "undisturbed"))
    return lake_rows(tmp_path / "undisturbed")


class Disk:
    """A small disk: a real one where mounting is allowed, else one that says the same errors."""

    def __init__(self, root, monkeypatch):
        self.root, self.monkeypatch = root, monkeypatch
        self.is_real = os.geteuid() == 0 and self._mount("-t", "tmpfs", "tmpfs", root) == 0

    def limit(self, n_bytes):
        """Let the disk hold so many bytes; 0 for as many as one likes."""
        if self.is_real:
            assert self._mount("-o", f"remount,size={n_bytes}", self.root) == 0
            return
        self._break(
            lambda: n_bytes and sum(file.stat().st_size for file in self.root.rglob("*")) > n_bytes, errno.ENOSPC
        )

    def freeze(self, *, frozen):
        """Let nobody write."""
        if self.is_real:
            assert self._mount("-o", f"remount,{'ro' if frozen else 'rw'}", self.root) == 0
            return
        self._break(lambda: frozen, errno.EROFS)

    def _break(self, is_broken, number):
        def fsync(descriptor):
            if is_broken():
                raise OSError(number, os.strerror(number))
            _FSYNC(descriptor)

        self.monkeypatch.setattr("storage.local_files.os.fsync", fsync)

    def close(self):
        if self.is_real:
            subprocess.run(["umount", "--lazy", self.root], check=True)

    @staticmethod
    def _mount(*arguments):
        return subprocess.run(["mount", *map(str, arguments)], check=False, capture_output=True).returncode


@pytest.fixture
def disk(tmp_path, monkeypatch):
    root = tmp_path / "disk"
    root.mkdir()
    disk = Disk(root, monkeypatch)
    yield disk
    disk.close()


@pytest.fixture
def unreal_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(Disk, "_mount", staticmethod(lambda *_: 32))
    return Disk(tmp_path, monkeypatch)


@pytest.mark.parametrize("kind", ["disk", "unreal_disk"])
def test_a_full_disk_is_said_and_what_was_committed_counts(archive, undisturbed, kind, request):
    disk = request.getfixturevalue(kind)
    lake = disk.root / "lake"
    spec = fake_spec(archive, lake, commit_minutes=0.0)
    disk.limit(60_000)
    with pytest.raises(StorageError, match="No space left on device; check permission and free space") as error:
        run_whole(spec)
    assert not is_transient(error.value)
    assert [name for name in lake.rglob(".tmp-*") if name.is_file()] == []
    disk.limit(0)
    run_whole(fake_spec(archive, lake))
    assert lake_rows(lake) == undisturbed


@pytest.mark.parametrize("kind", ["disk", "unreal_disk"])
def test_a_lake_that_may_only_be_read_is_said_and_can_be_queried(archive, undisturbed, kind, request):
    disk = request.getfixturevalue(kind)
    lake = disk.root / "lake"
    run_whole(fake_spec(archive, lake))
    disk.freeze(frozen=True)
    assert run_whole(fake_spec(archive, lake)).plan.is_current
    assert lake_rows(lake) == undisturbed
    (archive / "rec 0.wav").rename(archive / "renamed.wav")
    with pytest.raises(StorageError, match="Read-only file system"):
        run_whole(fake_spec(archive, lake))
    (archive / "renamed.wav").rename(archive / "rec 0.wav")
    disk.freeze(frozen=False)
    run_whole(fake_spec(archive, lake))
    assert lake_rows(lake) == undisturbed


def finish(spec, meanwhile):
    meanwhile("before its shards")
    run_shard(spec.lake, spec.run_id, 0)
    meanwhile("before linking")
    linked = link_lake(spec.lake, spec.run_id)
    meanwhile("before publishing")
    publish_lake(spec.lake, spec.run_id, linked)


@pytest.mark.parametrize("moment", ["before its shards", "before linking", "before publishing"])
def test_a_lake_that_is_removed_during_a_run_is_said(archive, tmp_path, undisturbed, moment):
    lake = tmp_path / "lake"
    spec = fake_spec(archive, lake)
    write_plan(plan_run(spec))
    with pytest.raises(StorageError, match="is gone") as error:
        finish(spec, lambda now: shutil.rmtree(lake) if now == moment else None)
    assert not is_transient(error.value)
    run_whole(fake_spec(archive, lake))
    assert lake_rows(lake) == undisturbed
