"""What the lake keeps besides tables: sightings, commits, publications; and the state that follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from sys import intern
from typing import Any

from storage.fact_owners import FactKey, FactOwners
from storage.runs import RunRecord
from storage.sightings import Sighting, Sightings
from storage.store import json_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Facts that become visible together."""

    commit_id: str
    run_id: str
    files: Mapping[str, str]
    """Key of the Parquet file of each fact table."""
    done: tuple[FactKey, ...]
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stable group of recordings, published together."""

    part_id: str
    digest: str
    """Of all that its files were made from."""
    files: Mapping[str, str]
    """Key of the Parquet file of each part table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One consistent state of the published tables."""

    number: int
    run_id: str
    at: datetime
    parts: tuple[Part, ...]
    wholes: Mapping[str, str]
    """Key of the one Parquet file of each small table."""
    bases: Mapping[str, str]
    """Digest of what each archive's last run was asked to do, by archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeState:
    """What the lake knows: the latest publication and all commits since."""

    publication: Publication | None
    sightings: Sightings
    done: FactOwners
    commits: Mapping[str, Mapping[str, str]]
    """Key of the file of each table, by commit. Commits that were compacted share their files."""
    compacted: Mapping[str, str]
    """The compaction in which each of these commits is read."""
    unpublished: frozenset[str]
    """Commits that the publication does not know."""
    unpublished_archives: frozenset[str]
    """Archives that those commits are about."""

    @property
    def has_unpublished_commits(self) -> bool:
        """Whether there is more than what is published."""
        return bool(self.unpublished)


def encode(record: Commit | Publication | RunRecord) -> bytes:
    """Return a record as the JSON that the lake keeps."""
    return json_bytes(_plain(asdict(record)))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def decode_commit(record: Mapping[str, Any]) -> Commit:
    """Return a commit from its manifest."""
    same: dict[str, str] = {}  # a recording_id is said of every stage
    done = tuple((same.setdefault(one, one), intern(stage), intern(how)) for one, stage, how in record["done"])
    moments = {text: datetime.fromisoformat(text) for text in {one["at"] for one in record["sightings"]}}
    sightings = [
        {
            **one,
            "archive": intern(one["archive"]),
            "recording_id": same.get(one["recording_id"], one["recording_id"]),
            "at": moments[one["at"]],
        }
        for one in record["sightings"]
    ]
    return Commit(
        commit_id=record["commit_id"],
        run_id=record["run_id"],
        files=record["files"],
        done=done,
        sightings=tuple(Sighting(**one) for one in sightings),
    )


def decode_publication(record: Mapping[str, Any]) -> Publication:
    """Return a publication from its manifest."""
    return Publication(
        number=record["number"],
        run_id=record["run_id"],
        at=datetime.fromisoformat(record["at"]),
        parts=tuple(Part(**part) for part in record["parts"]),
        wholes=record["wholes"],
        bases=record["bases"],
    )
