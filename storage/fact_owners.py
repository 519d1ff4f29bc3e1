"""Which commit owns each fact, small enough for every worker to know it of a large lake.

What is done of a recording is mostly what is done of others of its commit, so what is kept of it is one number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter

from storage.compact_dict import Codes, CompactDict

FactKey = tuple[str, str, str]
"""recording_id, stage, recipe."""
OwnedFact = tuple[str, str, str, str]
"""recording_id, stage, recipe, and the commit."""

_Owned = tuple[tuple[str, str, str], ...]
"""stage, recipe and commit of each fact of a recording, sorted."""


class FactOwners(Mapping[FactKey, str]):
    """The one commit that owns each fact, though several may hold it: the latest."""

    __slots__ = ("_of_recording", "_same")

    def __init__(self, *, is_compact: bool = False) -> None:
        """Begin with none; see ``Lake.state`` for the argument."""
        self._of_recording: dict[str, _Owned] | CompactDict[str, _Owned] = _compact() if is_compact else {}
        self._same: dict[_Owned, _Owned] = {}
        """For what was found of a recording, in any order, the one object that is kept of it."""

    def add(self, owned: Iterable[OwnedFact]) -> None:
        """Take further owners in; quickest where the facts of a recording follow each other."""
        for recording_id, rows in groupby(owned, itemgetter(0)):
            found = self._facts(recording_id) + tuple(row[1:] for row in rows)
            kept = self._same.get(found)
            if kept is None:
                kept = self._same[found] = _latest(found)
            self._of_recording[recording_id] = kept

    def __getitem__(self, key: FactKey) -> str:
        """Return the commit that owns a fact."""
        for stage, recipe, commit_id in self._facts(key[0]):
            if recipe == key[2] and stage == key[1]:
                return commit_id
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        """Return whether a fact is there; without an error on the way, for many are asked for."""
        if not isinstance(key, tuple):
            return False
        recording_id, its_stage, its_recipe = key
        for stage, recipe, _ in self._facts(recording_id):  # noqa: SIM110 - a generator takes twice as long
            if recipe == its_recipe and stage == its_stage:
                return True
        return False

    def __iter__(self) -> Iterator[FactKey]:
        """Yield the keys of all facts, sorted."""
        return (
            (recording_id, stage, recipe)
            for recording_id, facts in sorted(self._of_recording.items())
            for stage, recipe, _ in facts
        )

    def __len__(self) -> int:
        """Return the number of facts."""
        return sum(len(facts) for _, facts in self._of_recording.items())

    def _facts(self, recording_id: str) -> _Owned:
        return self._of_recording.get(recording_id) or ()


def _compact() -> CompactDict[str, _Owned]:
    owned: Codes[_Owned] = Codes()
    return CompactDict(lambda name, facts: (name, owned.number(facts)), itemgetter(0), lambda row: owned.value(row[1]))


def _latest(found: _Owned) -> _Owned:
    latest: dict[tuple[str, str], str] = {}
    for stage, recipe, commit_id in found:
        latest[stage, recipe] = max(commit_id, latest.get((stage, recipe), ""))
    return tuple(sorted((stage, recipe, commit_id) for (stage, recipe), commit_id in latest.items()))
