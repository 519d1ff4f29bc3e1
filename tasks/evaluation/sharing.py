"""How long persons of a reference are heard under which names: one sweep over the turns of a recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from storage.formats.document import DocumentTurn
from tasks.evaluation.counts import TurnErrors

Shared = Mapping[tuple[str, str], int]
"""Milliseconds by person and speaker ID."""


class Stretch(NamedTuple):
    """A stretch of time in which nobody begins or ends, and somebody talks or is heard."""

    ms: int
    persons: tuple[str, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerTime:
    """Speaker time of a recording before anybody says which ID is which person."""

    missed_ms: int
    false_ms: int
    both_ms: int
    """Where a person talks and an ID is given, rightly or not."""
    speech_ms: int
    pairs: Shared
    """How long each ID is given while each person talks."""

    def errors(self, person_of: Mapping[str, str]) -> TurnErrors:
        """Return the errors under a one-to-one mapping from speaker IDs to persons."""
        right_ms = sum(ms for (person, speaker_id), ms in self.pairs.items() if person_of.get(speaker_id) == person)
        return TurnErrors(
            missed_ms=self.missed_ms,
            false_ms=self.false_ms,
            confused_ms=self.both_ms - right_ms,
            speech_ms=self.speech_ms,
        )


def speaker_time(reference: Sequence[DocumentTurn], found: Sequence[DocumentTurn]) -> SpeakerTime:
    """Return who talks under which ID, however many at once."""
    missed_ms = false_ms = both_ms = speech_ms = 0
    pairs: Counter[tuple[str, str]] = Counter()
    for ms, persons, ids in stretches(reference, found):
        missed_ms += ms * max(0, len(persons) - len(ids))
        false_ms += ms * max(0, len(ids) - len(persons))
        both_ms += ms * min(len(persons), len(ids))
        speech_ms += ms * len(persons)
        pairs.update({(person, speaker_id): ms for person in persons for speaker_id in ids})
    return SpeakerTime(missed_ms=missed_ms, false_ms=false_ms, both_ms=both_ms, speech_ms=speech_ms, pairs=dict(pairs))


def shared_ms(reference: Sequence[DocumentTurn], found: Sequence[DocumentTurn]) -> Counter[tuple[str, str]]:
    """Return how long each person was heard under each speaker ID, where one person talks and one ID is given."""
    shared: Counter[tuple[str, str]] = Counter()
    for ms, persons, ids in stretches(reference, found):
        if len(persons) == len(ids) == 1:
            shared[persons[0], ids[0]] += ms
    return shared


def stretches(reference: Sequence[DocumentTurn], found: Sequence[DocumentTurn]) -> Iterator[Stretch]:
    """Yield the stretches in order of time; somebody who overlaps with themselves counts once."""
    changes = sorted(
        (at_ms, side, str(turn.speaker), step)
        for side, turns in enumerate((reference, found))
        for turn in turns
        for at_ms, step in ((turn.start_ms, 1), (turn.end_ms, -1))
    )
    talking: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    since_ms = 0
    for at_ms, side, speaker, step in changes:
        if at_ms > since_ms and any(talking):
            yield Stretch(at_ms - since_ms, tuple(talking[0]), tuple(talking[1]))
        since_ms = at_ms
        talking[side][speaker] += step
        if not talking[side][speaker]:
            del talking[side][speaker]
