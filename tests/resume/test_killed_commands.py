"""Commands that people give, killed before any of their writes: nothing half done stays, and nothing is lost."""

import os
import shutil
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.local import relink
from storage.lake import Lake
from storage.store import Store
from tasks.people.decide import merge_speakers
from tasks.people.forget import forget_speaker
from tasks.people.lists import name_person
from tasks.reading.answers import write_answer
from tasks.reading.export import export_lake
from tests.lakes import PASSING, fake_spec, lake_rows, query, run_whole, write_archive

_OF_DECISIONS = PASSING | {"decision_id"}


class _Killed(BaseException):
    """Stands for the end of the process: no handler of the code under test catches it."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A lake of three recordings in which 900 Hz is called Ada."""
    folder = tmp_path_factory.mktemp("finished")
    run_whole(fake_spec(write_archive(folder / "archive"), folder / "lake"))
    name_person(str(folder / "lake"), speaker_of(folder / "lake", 900), "Ada")
    return folder / "lake"


@pytest.fixture
def lakes(finished, tmp_path):
    """Copies of the lake, one after the other; no file of a lake is ever changed in place."""

    def copies():
        for number in count():
            yield shutil.copytree(finished, tmp_path / str(number), copy_function=os.link)

    return copies()


@contextmanager
def killed_before_write(n_writes):
    """Let so many writes and deletions happen and no more; say whether more were asked for."""
    with pytest.MonkeyPatch.context() as patch:
        left, asked = iter(range(n_writes)), []
        for name in ("put", "create", "delete"):
            patch.setattr(Store, name, _counted(getattr(Store, name), left, asked))
        with suppress(_Killed):
            yield asked


def _counted(write, left, asked):
    def write_or_die(*arguments):
        if next(left, None) is None:
            asked.append(True)
            raise _Killed
        return write(*arguments)

    return write_or_die


def kill_everywhere(lakes, command):
    """Yield a lake for each write of a command, killed before it."""
    for n_writes in count():
        lake = next(lakes)
        with killed_before_write(n_writes) as was_killed:
            command(str(lake))
        if not was_killed:
            assert n_writes > 0
            return
        yield lake


def speaker_of(lake, voice_hz):
    ((speaker_id,),) = query(lake, f"SELECT DISTINCT speaker_id FROM words WHERE text LIKE 'v{voice_hz}x%'")
    return speaker_id


def vectors_of(lake, voice_hz):
    """Return how many vectors of a voice are left in any file of the lake."""
    tables = map(pq.read_table, Path(lake).glob("*/fingerprints/*.parquet"))
    vectors = [vector for table in tables for vector in table["vector"].to_pylist() if vector is not None]
    return sum(int(np.argmax(vector)) == voice_hz // 100 - 2 for vector in vectors)


def test_a_name_is_given_or_not(lakes, finished):
    ada = speaker_of(finished, 900)
    for lake in kill_everywhere(lakes, lambda lake: name_person(lake, "Ada", "Bea")):
        assert Lake(str(lake)).names() == {ada: "Ada"}
        name_person(str(lake), "Ada", "Bea")
        assert Lake(str(lake)).names() == {ada: "Bea"}


@pytest.mark.parametrize("is_linked_between", [False, True])
def test_a_merge_counts_or_can_be_said_again_and_loses_no_name(lakes, finished, is_linked_between):
    ids = speaker_of(finished, 300), speaker_of(finished, 900)
    undisturbed = next(lakes)
    merge_speakers(str(undisturbed), *ids)
    relink(str(undisturbed))
    assert query(undisturbed, "SELECT DISTINCT name FROM speakers WHERE name IS NOT NULL") == [("Ada",)]
    for lake in kill_everywhere(lakes, lambda lake: merge_speakers(lake, *ids)):
        if is_linked_between:
            relink(str(lake))
        merge_speakers(str(lake), *ids)
        relink(str(lake))
        assert lake_rows(lake, passing=_OF_DECISIONS) == lake_rows(undisturbed, passing=_OF_DECISIONS)


def test_whoever_was_to_be_forgotten_is_gone_after_the_next_link(lakes, finished):
    ada = speaker_of(finished, 900)
    undisturbed = next(lakes)
    assert vectors_of(undisturbed, 900) > 0
    forget_speaker(str(undisturbed), ada)
    relink(str(undisturbed))
    assert vectors_of(undisturbed, 900) == 0
    for lake in kill_everywhere(lakes, lambda lake: forget_speaker(lake, ada)):
        if not Lake(str(lake)).store.list("decisions"):
            continue  # nothing was begun
        relink(str(lake))
        assert (vectors_of(lake, 900), Lake(str(lake)).names()) == (0, {})
        assert lake_rows(lake, passing=_OF_DECISIONS) == lake_rows(undisturbed, passing=_OF_DECISIONS)


def test_an_export_is_continued_and_no_file_is_half(finished, tmp_path):
    export_lake(str(finished), str(tmp_path / "whole"), "srt")
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").rglob("*.srt")}
    out = tmp_path / "out"
    for n_writes in range(len(whole)):
        with killed_before_write(n_writes) as was_killed:
            export_lake(str(finished), str(out), "srt")
        assert was_killed
        assert all(path.read_bytes() == whole[path.name] for path in out.rglob("*.srt"))
    leftover = out / ".tmp-of-a-killed-export"
    leftover.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    export_lake(str(finished), str(out), "srt")
    assert {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()} == whole


def test_an_answer_replaces_its_file_as_a_whole(tmp_path, monkeypatch):
    out = tmp_path / "answer.csv"
    write_answer(pa.table({"n": [1, 2, 3]}), "csv", str(out))
    before = out.read_bytes()

    def die(_):
        raise _Killed

    monkeypatch.setattr("storage.local_files.os.fsync", die)
    with pytest.raises(_Killed):
        write_answer(pa.table({"n": range(10_000)}), "csv", str(out))
    assert out.read_bytes() == before
