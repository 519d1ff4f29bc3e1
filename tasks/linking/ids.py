"""Speaker IDs that stay: which speaker of this run is which of the last.

Speakers are recognised by their local speakers. An ID goes with the largest part, by speech, of those who bore it; a
speaker to whom several IDs come keeps the oldest. An ID that once was given is never given to anybody else.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from tasks.linking.local import LocalSpeakers
from tasks.linking.voices import IntArray

Label = tuple[str, int, int, str]

Change = Literal["new", "grown", "merged_into", "split", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LineageEvent:
    """What happened to a speaker ID since the last run."""

    speaker_id: str
    change: Change
    """``new``: first given. ``grown``: it has local speakers that it did not have. ``merged_into``: most of its speech
    is now found under ``other_id``. ``split``: first given, to people who bore ``other_id``. ``gone``: nobody that is
    left bore it."""
    other_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerIds:
    """The IDs of a run."""

    of_local: tuple[str | None, ...]
    """``speaker_id`` of each local speaker; None where it has no speaker."""
    events: tuple[LineageEvent, ...]
    """Sorted."""


def assign_ids(
    local: LocalSpeakers,
    speaker: IntArray,
    label_of: Callable[[int], Label],
    *,
    previous: Mapping[tuple[str, str], str] | None = None,
    since: Mapping[str, int] | None = None,
) -> SpeakerIds:
    """Return a speaker ID for each local speaker.

    Args:
        local: local speakers of all recordings.
        speaker: number of each one's speaker, -1 for none (``Links.speaker``).
        label_of: of a row of labels its recording_id, channel, chunk and label.
        previous: (recording_id, local_speaker) → speaker_id, as last published.
        since: every ID ever given → the number of the run that first gave it; smaller is older.
    """
    previous, since = previous or {}, since or {}
    clusters = _clusters(local, speaker, previous)
    heir_of = _heirs(clusters)
    id_of = _kept_ids(clusters, heir_of, since)
    given = {*since, *previous.values()}
    events: list[LineageEvent] = []
    for cluster in clusters:
        if cluster.number in id_of:
            events += _growth(cluster, id_of[cluster.number])
            continue
        name = id_of[cluster.number] = new_id(label_of(cluster.first_label), given)
        given.add(name)
        events.append(_birth(cluster, name))
    events += [_loss(name, heir_of, id_of) for name in set(previous.values()) - set(id_of.values())]
    of_local = tuple(id_of[number] if number >= 0 else None for number in speaker.tolist())
    return SpeakerIds(
        of_local=of_local, events=tuple(sorted(events, key=lambda event: (event.speaker_id, event.change)))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    number: int
    first_label: int
    """Row of the smallest label."""
    speech_of_id: Mapping[str | None, int]
    """Speech by the ID that was borne before; None for local speakers that bore none."""


def _clusters(local: LocalSpeakers, speaker: IntArray, previous: Mapping[tuple[str, str], str]) -> list[_Cluster]:
    """Return the speakers of this run in the order of their smallest labels."""
    borne = [previous.get(key) for key in zip(local.recording_id, local.name, strict=True)]
    speech_ms, first_label = local.speech_ms.tolist(), local.first_label.tolist()
    speech: dict[int, dict[str | None, int]] = defaultdict(lambda: defaultdict(int))
    first: dict[int, int] = {}
    for row, number in enumerate(speaker.tolist()):
        if number >= 0:
            speech[number][borne[row]] += speech_ms[row]
            first[number] = min(first_label[row], first.get(number, first_label[row]))
    return [
        _Cluster(number=number, first_label=first[number], speech_of_id=speech[number])
        for number in sorted(first, key=lambda number: first[number])
    ]


def _heirs(clusters: Sequence[_Cluster]) -> dict[str, int]:
    """Return for each ID that is still borne the cluster with most of its speech, the first of equals."""
    heir_of: dict[str, int] = {}
    most: dict[str, int] = {}
    for cluster in clusters:
        for name, speech in cluster.speech_of_id.items():
            if name is not None and speech > most.get(name, -1):
                heir_of[name], most[name] = cluster.number, speech
    return heir_of


def _kept_ids(clusters: Sequence[_Cluster], heir_of: Mapping[str, int], since: Mapping[str, int]) -> dict[int, str]:
    """Return the ID of each cluster that inherits any: the oldest, of equals the one with most speech."""
    kept: dict[int, str] = {}
    for cluster in clusters:
        inherited = [
            (since.get(name, 0), -speech, name)
            for name, speech in cluster.speech_of_id.items()
            if name is not None and heir_of[name] == cluster.number
        ]
        if inherited:
            kept[cluster.number] = min(inherited)[2]
    return kept


def _growth(cluster: _Cluster, name: str) -> list[LineageEvent]:
    is_grown = bool(cluster.speech_of_id.keys() - {name})
    return [LineageEvent(speaker_id=name, change="grown")] if is_grown else []


def _birth(cluster: _Cluster, name: str) -> LineageEvent:
    origins = [(-speech, origin) for origin, speech in cluster.speech_of_id.items() if origin is not None]
    if origins:
        return LineageEvent(speaker_id=name, change="split", other_id=min(origins)[1])
    return LineageEvent(speaker_id=name, change="new")


def _loss(name: str, heir_of: Mapping[str, int], id_of: Mapping[int, str]) -> LineageEvent:
    if name in heir_of:
        return LineageEvent(speaker_id=name, change="merged_into", other_id=id_of[heir_of[name]])
    return LineageEvent(speaker_id=name, change="gone")


def new_id(first_label: Label, given: AbstractSet[str]) -> str:
    """Return an ID that follows from the smallest label alone, unless it was given before."""
    names = (
        "spk_" + hashlib.sha256(json.dumps([*first_label, attempt]).encode()).hexdigest()[:10]
        for attempt in itertools.count()
    )
    return next(name for name in names if name not in given)
