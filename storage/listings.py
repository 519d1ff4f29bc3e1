"""What filesystems say of the objects that they list, in one way for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fsspec import AbstractFileSystem

_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
"""What filesystems call the time at which an object was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An object as its folder lists it."""

    size_bytes: int
    modified: datetime
    """By the clock of the storage."""


def entries_of(fs: AbstractFileSystem, found: Iterable[Mapping[str, Any]]) -> dict[str, Entry]:
    """Return the objects of a listing by their names in its folder, sorted; folders are left out."""
    named = {str(one["name"]).rsplit("/", 1)[-1]: one for one in found if one["type"] == "file"}
    return {
        name: Entry(size_bytes=one["size"] or 0, modified=written_at(fs, one))
        for name, one in sorted(named.items())
        if name
    }


def written_at(fs: AbstractFileSystem, info: Mapping[str, Any]) -> datetime:
    """Return when an object was written, asking again only where the listing does not say so."""
    found = next((info[name] for name in _TIMES if info.get(name) is not None), None)
    if isinstance(found, (int, float)):
        return datetime.fromtimestamp(found, UTC)
    if not isinstance(found, datetime):
        found = fs.modified(info["name"])
    return found if found.tzinfo else found.replace(tzinfo=UTC)
