"""What was last seen under each name of an archive, small enough for every worker to know it of a large lake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from storage.compact_dict import Codes, CompactDict

SourceKey = tuple[str, str]
"""archive, source."""
_Row = tuple[str, int, str, str | None, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An object of an archive as it was when it was last read."""

    archive: str
    source: str
    size_bytes: int
    mark: str
    recording_id: str | None
    """None where its bytes could not be read."""
    at: datetime

    @property
    def key(self) -> SourceKey:
        """Archive and source."""
        return self.archive, self.source


class Sightings:
    """The latest sighting of each object, by archive and source."""

    __slots__ = ("_of_key",)

    def __init__(self, *, is_compact: bool = False) -> None:
        """Begin with none; see ``Lake.state`` for the argument."""
        self._of_key: dict[SourceKey, Sighting] | CompactDict[SourceKey, Sighting] = _compact() if is_compact else {}

    def add(self, sightings: Iterable[Sighting]) -> None:
        """Take further sightings in; of one object the latest counts, and of those at one moment the last."""
        for one in sightings:
            seen = self._of_key.get(one.key)
            if seen is None or seen.at <= one.at:
                self._of_key[one.key] = one

    def get(self, key: SourceKey) -> Sighting | None:
        """Return what was seen under a name, or None."""
        return self._of_key.get(key)

    def __eq__(self, other: object) -> bool:
        """Return whether the same was seen."""
        if not isinstance(other, Sightings):
            return NotImplemented
        return dict(self._of_key.items()) == dict(other._of_key.items())

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Sighting]:
        """Yield all sightings, in no order that means anything."""
        return (one for _, one in self._of_key.items())


def _compact() -> CompactDict[SourceKey, Sighting]:
    whens: Codes[tuple[str, datetime]] = Codes()  # one for each run

    def to_row(_key: SourceKey, one: Sighting) -> _Row:
        return one.source, one.size_bytes, one.mark, one.recording_id, whens.number((one.archive, one.at))

    def key_of(row: _Row) -> SourceKey:
        return whens.value(row[4])[0], row[0]

    def value_of(row: _Row) -> Sighting:
        source, size_bytes, mark, recording_id, when = row
        archive, at = whens.value(when)
        return Sighting(
            archive=archive, source=source, size_bytes=size_bytes, mark=mark, recording_id=recording_id, at=at
        )

    return CompactDict(to_row, key_of, value_of)
