"""How a plan's long lists are written: a line of JSON for each shard, and one for all that was listed.

A worker reads the line of its shard and no other, by where it begins and ends. What the manifest says is written once a
line, for most recordings of an archive share it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from storage.records import SourceHints, SourceObject
from storage.store import Store, json_bytes
from tasks.planning.spec import from_plain, to_plain

Source = tuple[SourceObject, SourceHints]
Line = dict[str, Any]


def packed(sources: Iterable[Source]) -> Line:
    """Return sources and their hints as JSON values, each hint once."""
    numbers: dict[SourceHints, int] = {}
    rows: list[list[Any]] = []
    hints, number = None, 0
    for obj, its_hints in sources:
        if its_hints is not hints:  # most share one object, and hashing it takes longer than all else
            hints, number = its_hints, numbers.setdefault(its_hints, len(numbers))
        rows.append([obj.source, obj.size_bytes, obj.mark, number])
    return {"hints": [to_plain(hints) for hints in numbers], "sources": rows}


def unpacked(line: Line) -> list[Source]:
    """Return what ``packed`` was given."""
    hints: list[SourceHints] = [from_plain(SourceHints, plain) for plain in line["hints"]]
    return [
        (SourceObject(source=source, size_bytes=size_bytes, mark=mark), hints[number])
        for source, size_bytes, mark, number in line["sources"]
    ]


def write_lines(store: Store, key: str, lines: Iterable[Line]) -> list[int]:
    """Write lines as one object; return where each begins in it, and last where it ends."""
    encoded = [json_bytes(line) + b"\n" for line in lines]
    store.put(key, b"".join(encoded))
    return list(accumulate(map(len, encoded), initial=0))


def read_line(store: Store, key: str, bounds: Sequence[int], number: int) -> Line:
    """Return one line, fetching no other."""
    line: Line = json.loads(store.read(key, start=bounds[number], end=bounds[number + 1]))
    return line


def read_lines(store: Store, key: str) -> list[Line]:
    """Return all lines."""
    return [json.loads(line) for line in store.read(key).splitlines()]
