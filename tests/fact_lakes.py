"""Lakes of made-up facts, without audio, and the passing of time in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from storage.lake import Lake
from storage.lake_records import Commit, LakeState, Publication
from storage.publishing import commit_table, done_table, write_whole
from storage.sightings import Sighting
from storage.store import Store

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def word(recording_id: str, text: str, *, recipe: str = "r1", run_id: str = "run", start_ms: int = 0) -> dict[str, Any]:
    """Return a row of words."""
    return {
        "recording_id": recording_id,
        "channel": 0,
        "chunk_index": 0,
        "segment_index": 0,
        "start_ms": start_ms,
        "end_ms": start_ms + 100,
        "text": text,
        "recipe": recipe,
        "run_id": run_id,
    }


def failure(recording_id: str | None, source: str, *, recipe: str = "r1", run_id: str = "run") -> dict[str, Any]:
    """Return a row of failures."""
    return {
        "archive": "/a",
        "source": source,
        "stage": "transcribe",
        "error": "EngineError",
        "message": "broke",
        "is_transient": False,
        "at": AT,
        "recipe": recipe,
        "run_id": run_id,
        "recording_id": recording_id,
    }


def sighting(source: str, recording_id: str | None, *, at: datetime = AT) -> Sighting:
    """Return what was seen of an archive."""
    return Sighting(archive="/a", source=source, size_bytes=1, mark="m", recording_id=recording_id, at=at)


def commit_words(
    lake: Lake, recording_id: str, texts: Sequence[str], *, recipe: str = "r1", run_id: str = "run", fails: bool = False
) -> Commit:
    """Commit the words of a recording, and maybe that something of it failed."""
    rows = {
        "words": [word(recording_id, one, recipe=recipe, run_id=run_id, start_ms=at) for at, one in enumerate(texts)]
    }
    if fails:
        rows["failures"] = [failure(recording_id, f"{recording_id}.wav", recipe=recipe, run_id=run_id)]
    seen = [sighting(f"{recording_id}.wav", recording_id)]
    return lake.write_commit(run_id, rows, [(recording_id, "transcribe", recipe)], seen)


def publish_index(lake: Lake) -> Publication:
    """Publish what is known, and no tables of people."""
    state = lake.state()
    wholes = {
        "done": write_whole(lake, "done", done_table(state)),
        "commits": write_whole(lake, "commits", commit_table(state)),
    }
    wholes["sources"] = write_whole(lake, "sources", [_source_row(one) for one in state.sightings])
    number = state.publication.number + 1 if state.publication else 1
    publication = Publication(number=number, run_id="run", at=AT, parts=(), wholes=wholes, bases={})
    assert lake.publish(publication)
    return publication


def _source_row(seen: Sighting) -> dict[str, Any]:
    names = ("archive", "source", "size_bytes", "mark", "recording_id")
    return {name: getattr(seen, name) for name in names} | {
        "first_seen": seen.at,
        "last_seen": seen.at,
        "run_id": "run",
    }


def what_is_read(lake: Lake, state: LakeState) -> dict[str, Any]:
    """Return all that a state says and all rows that it leads to, in canonical order."""
    return {
        "done": dict(state.done),
        "sightings": {one.key: (one.recording_id, one.at) for one in state.sightings},
        "commits": sorted(state.commits),
        "words": sorted(map(repr, lake.facts("words", state, state.done).to_pylist())),
        "failures": [(commit_id, repr(row)) for commit_id, row in lake.all_failures(state)],
    }


def let_pass(lake: Lake, time: timedelta) -> None:
    """Make every object of a lake so much older."""
    if not lake.store.is_local:
        for path, file in lake.store.fs.store.items():
            if path.startswith(lake.store.path("")):
                file.created -= time
        return
    for path in Path(lake.url).rglob("*"):
        if path.is_file():
            then = path.stat().st_mtime - time.total_seconds()
            os.utime(path, (then, then))


def keys_of(lake: Lake) -> set[str]:
    """Return the keys of all objects of a lake."""
    root = lake.store.path("")
    return {str(path).removeprefix(root) for path in lake.store.fs.find(root)}


class Killed(BaseException):
    """Stands for the end of the process: no handler of the code under test catches it."""


@contextmanager
def at_change(is_it: Callable[[str], bool], happens: Callable[[], object]) -> Iterator[None]:
    """Let something happen once, before the first change to any store of a key that is meant."""
    honest = {name: getattr(Store, name) for name in ("put", "create", "delete")}
    is_over: list[bool] = []

    def watched(name: str) -> Callable[..., object]:
        def change(self: Store, key: str, *data: bytes) -> object:
            if not is_over and is_it(key):
                is_over.append(True)
                happens()
            return honest[name](self, key, *data)

        return change

    for name in honest:
        setattr(Store, name, watched(name))
    try:
        yield
    finally:
        for name, method in honest.items():
            setattr(Store, name, method)


def at_write(number: int, happens: Callable[[], object]) -> AbstractContextManager[None]:
    """Let something happen before the nth change to any store."""
    left = iter(range(number))
    return at_change(lambda _: next(left, None) is None, happens)


def at_write_of(folder: str, happens: Callable[[], object]) -> AbstractContextManager[None]:
    """Let something happen before the first change in a folder."""
    return at_change(lambda key: folder in key.split("/")[:-1], happens)


def die() -> NoReturn:
    """End the process."""
    raise Killed
