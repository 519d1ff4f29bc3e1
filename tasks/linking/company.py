"""What speaks against two groups of voices being one person, besides how they sound."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tasks.linking.voices import IntArray

_MISTAKEN = 0.02
"""Share of a group's chunks in which it may be heard by mistake: of a voice heard ten thousand times some are not its
own, and some of those are heard beside it."""


class Company:
    """Who was heard with whom, and who people said is or is not whom.

    Two voices of one chunk are two people, unless their diarizer split one. People's word is final: groups that they
    said are one person keep to themselves how they sound, and share everything here.
    """

    def __init__(
        self,
        chunks: Sequence[set[int]],
        together_nats: float,
        together: Sequence[IntArray] = (),
        apart: Sequence[tuple[IntArray, IntArray]] = (),
    ) -> None:
        """Begin with every voice alone.

        Args:
            chunks: In which each voice was heard; the sets become the company's own.
            together_nats: What must speak for two voices of one chunk being one, besides what always must.
            together: Voices that are one person.
            apart: Voices of which none is one person with any of others.
        """
        self._chunks = list(chunks)
        self._nats = together_nats
        self._person = list(range(len(chunks)))
        self._people: IntArray | None = None
        self._sides: dict[int, set[int]] = {}
        for at, sides in enumerate(apart):
            for side, rows in enumerate(sides):
                for row in rows.tolist():
                    self._sides.setdefault(row, set()).add(2 * at + side)
        for rows in together:
            for row in rows[1:].tolist():
                self.merged(int(rows[0]), row)

    def objection(self, one: int, other: int) -> float:
        """Return what speaks against the pair, in nats; infinite where people said so."""
        one, other = self.person(one), self.person(other)
        if one == other:
            return 0.0
        if self._is_forbidden(one, other):
            return math.inf
        first, second = self._chunks[one], self._chunks[other]
        if first.isdisjoint(second):
            return 0.0
        by_mistake = _MISTAKEN * min(len(first), len(second))
        return self._nats * max(len(first & second) - by_mistake, 0.0)

    def merged(self, kept: int, gone: int) -> None:
        """Note that two groups are one person."""
        kept, gone = self.person(kept), self.person(gone)
        if kept == gone:
            return
        self._person[gone], self._people = kept, None
        self._chunks[kept] |= self._chunks[gone]
        self._chunks[gone] = set()
        if gone in self._sides:
            self._sides[kept] = self._sides.get(kept, set()) | self._sides.pop(gone)

    def person(self, group: int) -> int:
        """Return the group that stands for a group's person."""
        root = self._person[group]
        while self._person[root] != root:
            root = self._person[root]
        while self._person[group] != root:  # so that the next search is short
            self._person[group], group = root, self._person[group]
        return root

    def people(self) -> IntArray:
        """Return the group that stands for the person of every group."""
        if self._people is None:
            person = np.array(self._person, np.int64)
            while (person[person] != person).any():
                person = person[person]
            self._people = person
        return self._people

    def chunks_of(self, group: int) -> set[int]:
        """Return in which chunks a group's person is heard."""
        return self._chunks[self.person(group)]

    def _is_forbidden(self, one: int, other: int) -> bool:
        sides = self._sides.get(one)
        return bool(sides) and not self._sides.get(other, set()).isdisjoint({side ^ 1 for side in sides or ()})
