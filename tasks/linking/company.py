"""What speaks against two groups of voices being one person, besides how they sound."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tasks.linking.voices import IntArray

_MISTAKEN = 0.02
"""Share of a group's chunks in which it may be heard by mistake: of a voice heard ten thousand times some are not its
own, and some of those are heard beside it."""


class Company:
    """Who was heard with whom, and who people said is not whom.

    Two voices of one chunk are two people, unless their diarizer split one. People's word is final.
    """

    def __init__(
        self, chunks: Sequence[set[int]], together_nats: float, apart: Sequence[tuple[IntArray, IntArray]] = ()
    ) -> None:
        """Begin with every voice alone.

        Args:
            chunks: In which each voice was heard; the sets become the company's own.
            together_nats: What must speak for two voices of one chunk being one, besides what always must.
            apart: Voices of which none is one person with any of others.
        """
        self._chunks = list(chunks)
        self._nats = together_nats
        self._sides: dict[int, set[int]] = {}
        for at, sides in enumerate(apart):
            for side, rows in enumerate(sides):
                for row in rows.tolist():
                    self._sides.setdefault(row, set()).add(2 * at + side)

    def objection(self, one: int, other: int) -> float:
        """Return what speaks against the pair, in nats; infinite where people said so."""
        if self._is_forbidden(one, other):
            return math.inf
        first, second = self._chunks[one], self._chunks[other]
        if first.isdisjoint(second):
            return 0.0
        by_mistake = _MISTAKEN * min(len(first), len(second))
        return self._nats * max(len(first & second) - by_mistake, 0.0)

    def chunks_of_groups(self) -> list[set[int]]:
        """Return in which chunks each group is heard."""
        return list(self._chunks)

    def merged(self, kept: int, gone: int) -> None:
        """Note that two groups are one."""
        self._chunks[kept] |= self._chunks[gone]
        self._chunks[gone] = set()
        if gone in self._sides:
            self._sides[kept] = self._sides.get(kept, set()) | self._sides.pop(gone)

    def _is_forbidden(self, one: int, other: int) -> bool:
        sides = self._sides.get(one)
        return bool(sides) and not self._sides.get(other, set()).isdisjoint({side ^ 1 for side in sides or ()})
