"""Dictionaries of hundreds of thousands of small records, none of which is an object: tens of bytes for each.

Python objects for the records of a large lake would be most of what a worker needs. Here entries are rows of bytes, one
after the other, found through a table of the hashes of their keys (open addressing; Knuth, TAOCP 6.4).
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T", bound=Hashable)
Row = tuple[str | int | None, ...]

_FEWEST_SLOTS = 8
_NOBODY = -1


class CompactDict(Generic[K, V]):
    """A dictionary without deletion; an entry that is replaced leaves its bytes behind."""

    __slots__ = ("_ends", "_hashes", "_key_of", "_rows", "_slots", "_to_row", "_value_of")

    def __init__(self, to_row: Callable[[K, V], Row], key_of: Callable[[Any], K], value_of: Callable[[Any], V]) -> None:
        """Begin with nothing.

        Args:
            to_row: Returns what is kept of an entry.
            key_of: Returns the key of what is kept.
            value_of: Returns the value.
        """
        self._to_row, self._key_of, self._value_of = to_row, key_of, value_of
        self._rows = bytearray()
        self._ends = array("q", [0])
        self._hashes = array("q")
        self._slots = array("i", [_NOBODY]) * _FEWEST_SLOTS
        """Number of the row that each leads to; as many as a power of two."""

    def __setitem__(self, key: K, value: V) -> None:
        """Put an entry in, or another in its place."""
        slot, _ = self._find(key)
        self._rows += marshal.dumps(self._to_row(key, value))
        self._ends.append(len(self._rows))
        self._hashes.append(hash(key))
        self._slots[slot] = len(self._hashes) - 1
        if 2 * len(self._hashes) > len(self._slots):
            self._widen()

    def get(self, key: K) -> V | None:
        """Return the value of a key, or None."""
        _, row = self._find(key)
        return None if row is None else self._value_of(row)

    def items(self) -> Iterator[tuple[K, V]]:
        """Yield all entries, in no order that means anything."""
        rows = (self._row(number) for number in self._slots if number != _NOBODY)
        return ((self._key_of(row), self._value_of(row)) for row in rows)

    def _find(self, key: K) -> tuple[int, Any]:
        """Return the slot of a key and its row; where there is none, the slot that it would have, and None."""
        slots, hashes, wanted = self._slots, self._hashes, hash(key)
        last = len(slots) - 1
        slot = _spread(wanted) & last
        while (number := slots[slot]) != _NOBODY:
            if hashes[number] == wanted:
                row = self._row(number)
                if self._key_of(row) == key:
                    return slot, row
            slot = (slot + 1) & last
        return slot, None

    def _row(self, number: int) -> Any:
        kept = self._rows[self._ends[number] : self._ends[number + 1]]
        return marshal.loads(kept)  # noqa: S302 - our own bytes, of this very process

    def _widen(self) -> None:
        """Have twice as many slots."""
        numbers = [number for number in self._slots if number != _NOBODY]
        self._slots = array("i", [_NOBODY]) * (2 * len(self._slots))
        last = len(self._slots) - 1
        for number in numbers:
            slot = _spread(self._hashes[number]) & last
            while self._slots[slot] != _NOBODY:
                slot = (slot + 1) & last
            self._slots[slot] = number


class Codes(Generic[T]):
    """Numbers for values of which there are few."""

    __slots__ = ("_numbers", "_values")

    def __init__(self) -> None:
        """Begin with none."""
        self._values: list[T] = []
        self._numbers: dict[T, int] = {}

    def number(self, value: T) -> int:
        """Return the number of a value, which it keeps."""
        known = self._numbers.get(value)
        if known is None:
            known = self._numbers[value] = len(self._values)
            self._values.append(value)
        return known

    def value(self, number: int) -> T:
        """Return the value with this number."""
        return self._values[number]


def _spread(hashed: int) -> int:
    """Return a hash whose lowest bits depend on all of it."""
    return hashed ^ (hashed >> 32)
