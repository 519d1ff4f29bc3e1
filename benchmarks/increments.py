"""The people of an archive as linking remembers them, to which recordings are added without looking at others again."""

from __future__ import annotations

import numpy as np

from benchmarks.linkers import Linked
from tasks.linking.increment import add_voices
from tasks.linking.local import name_local_speakers
from tasks.linking.speakers import LinkOptions, voices_in
from tasks.linking.voices import IntArray, LabelColumns, VoicePrior, has_voice


class KnownPeople:
    """People under numbers that stay; of people who turn out to be one, all but one number are given up."""

    def __init__(self, linked: Linked, prior: VoicePrior) -> None:
        """Remember whom a link as a whole has found.

        Raises:
            ValueError: it found nobody.
        """
        found = linked.links.found
        if found is None:
            raise ValueError("nobody was linked")
        rows = np.flatnonzero(found.speaker_of >= 0)
        self._prior, self._space, self._options = prior, found.space, LinkOptions()
        self._groups = found.clusters.groups.kept(rows)
        self._number = found.speaker_of[rows]
        self._became = np.arange(int(linked.of_local.max(initial=-1)) + 1)
        """Number under which each number that was ever given goes now, or went when it was given up."""

    def add(self, labels: LabelColumns) -> IntArray:
        """Return the number of each of further labels, of recordings that were not there."""
        local = name_local_speakers(labels, self._prior)
        heard = np.flatnonzero(has_voice(local.vectors))
        added = add_voices(
            self._groups,
            self._space,
            voices_in(self._space, local, heard),
            local.speech_ms[heard] >= self._options.min_speech_ms,
            self._options,
        )
        number_of: dict[int, int] = {}
        for number, row in zip(self._number.tolist(), added.became.tolist(), strict=True):
            self._became[number] = number_of.setdefault(row, number)
        of_local = np.full(len(local), -1)
        of_local[heard] = [-1 if row < 0 else self._numbered(number_of, row) for row in added.group.tolist()]
        for at in np.flatnonzero(of_local < 0).tolist():
            of_local[at] = self._new()
        self._groups = added.groups
        self._number = np.array([self._numbered(number_of, row) for row in added.rows.tolist()], np.int64)
        return of_local[local.of_label]

    def now(self, numbers: IntArray) -> IntArray:
        """Return under which numbers people go now."""
        while not np.array_equal(now := self._became[numbers], numbers):
            numbers = now
        return numbers

    def _numbered(self, number_of: dict[int, int], row: int) -> int:
        if row not in number_of:
            number_of[row] = self._new()
        return number_of[row]

    def _new(self) -> int:
        self._became = np.append(self._became, len(self._became))
        return len(self._became) - 1
