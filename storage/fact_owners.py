"""Which commit owns each fact, small enough for every worker to know it of a large lake.

What is done of a recording is mostly what is done of others of its commit, so what is kept of it is one reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter

from storage.lake_records import FactKey

OwnedFact = tuple[str, str, str, str]
"""recording_id, stage, recipe, and the commit."""

_Owned = tuple[tuple[str, str, str], ...]
"""stage, recipe and commit of each fact of a recording, sorted."""


class FactOwners(Mapping[FactKey, str]):
    """The one commit that owns each fact, though several may hold it: the latest."""

    __slots__ = ("_of_recording", "_same")

    def __init__(self, before: Mapping[FactKey, str] | None = None) -> None:
        """Begin with those that are known."""
        self._of_recording: dict[str, _Owned] = {}
        self._same: dict[_Owned, _Owned] = {}
        """For what was found of a recording, in any order, the one object that is kept of it."""
        if isinstance(before, FactOwners):
            self._of_recording, self._same = dict(before._of_recording), before._same  # noqa: SLF001 - its own
        elif before:
            self.add((*key, commit_id) for key, commit_id in before.items())

    def add(self, owned: Iterable[OwnedFact]) -> None:
        """Take further owners in; quickest where the facts of a recording follow each other."""
        for recording_id, rows in groupby(owned, itemgetter(0)):
            found = self._of_recording.get(recording_id, ()) + tuple(row[1:] for row in rows)
            kept = self._same.get(found)
            if kept is None:
                kept = self._same[found] = _latest(found)
            self._of_recording[recording_id] = kept

    def __getitem__(self, key: FactKey) -> str:
        """Return the commit that owns a fact."""
        for stage, recipe, commit_id in self._of_recording.get(key[0], ()):
            if recipe == key[2] and stage == key[1]:
                return commit_id
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        """Return whether a fact is there; without an error on the way, for many are asked for."""
        if not isinstance(key, tuple):
            return False
        recording_id, its_stage, its_recipe = key
        for stage, recipe, _ in self._of_recording.get(recording_id, ()):
            if recipe == its_recipe and stage == its_stage:
                return True
        return False

    def __iter__(self) -> Iterator[FactKey]:
        """Yield the keys of all facts, sorted."""
        return (
            (recording_id, stage, recipe)
            for recording_id in sorted(self._of_recording)
            for stage, recipe, _ in self._of_recording[recording_id]
        )

    def __len__(self) -> int:
        """Return the number of facts."""
        return sum(map(len, self._of_recording.values()))


def _latest(found: _Owned) -> _Owned:
    latest: dict[tuple[str, str], str] = {}
    for stage, recipe, commit_id in found:
        latest[stage, recipe] = max(commit_id, latest.get((stage, recipe), ""))
    return tuple(sorted((stage, recipe, commit_id) for (stage, recipe), commit_id in latest.items()))
