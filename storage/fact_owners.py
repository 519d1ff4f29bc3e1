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

    __slots__ = ("_asked", "_latest", "_of_recording")

    def __init__(self) -> None:
        """Begin with none."""
        owned: Codes[_Owned] = Codes()
        self._of_recording: CompactDict[str, _Owned] = CompactDict(
            lambda name, facts: (name, owned.number(facts)), lambda row: (row[0], owned.value(row[1]))
        )
        self._latest: dict[_Owned, _Owned] = {}
        """For what was found of a recording, in any order, the one object that is kept of it."""
        self._asked: tuple[str, _Owned] = ("", ())
        """The recording that was asked for last, and its facts: mostly the next question is about it, too."""

    def add(self, owned: Iterable[OwnedFact]) -> None:
        """Take further owners in; quickest where the facts of a recording follow each other."""
        for recording_id, rows in groupby(owned, itemgetter(0)):
            found = (self._of_recording.get(recording_id) or ()) + tuple(row[1:] for row in rows)
            kept = self._latest.get(found)
            if kept is None:
                kept = self._latest[found] = _latest(found)
            self._of_recording[recording_id] = kept
        self._asked = ("", ())

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
        return any(recipe == its_recipe and stage == its_stage for stage, recipe, _ in self._facts(recording_id))

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
        asked, facts = self._asked
        if asked != recording_id:
            facts = self._of_recording.get(recording_id) or ()
            self._asked = (recording_id, facts)
        return facts


def _latest(found: _Owned) -> _Owned:
    latest: dict[tuple[str, str], str] = {}
    for stage, recipe, commit_id in found:
        latest[stage, recipe] = max(commit_id, latest.get((stage, recipe), ""))
    return tuple(sorted((stage, recipe, commit_id) for (stage, recipe), commit_id in latest.items()))
