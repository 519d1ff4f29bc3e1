"""What people decided about speakers: one JSON object per decision, only ever added to.

A decision is about *voices*, not about speaker IDs: it says at which moments of which recordings somebody is heard.
Moments survive whatever is done to the lake later: another diarizer, other chunks, another embedder, another link.

    decisions/<decision_id>.json     a decision, or that one was taken back
    erased/<decision_id>.json        that what was to be forgotten is gone from every file; until then every link tries
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from storage.lake import Lake
from storage.store import json_bytes

DecisionKind = Literal["merge", "split", "forbid", "enroll", "forget"]

_FOLDER = "decisions"
_ID_DIGITS = 10
_UNDO = "undo"
_ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class VoiceAnchor:
    """Whoever talks at a moment of a recording."""

    recording_id: str
    channel: int
    at_ms: int
    """Middle of the voice's longest turn in which nobody else talks; in recording time."""
    chunk_index: int
    label: str
    recipe: str
    """How the turns were made that the moment was taken from. While the recording is shown by that recipe, chunk and
    label name the voice, and no turn has to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided about speakers."""

    decision_id: str
    at: datetime
    kind: DecisionKind
    """``merge``: ours and theirs are one person. ``split``: theirs are one person, and nobody of ours. ``forbid``:
    nobody of ours is anybody of theirs. ``enroll``: clips in the lake are of this person. ``forget``: nobody may use
    the voices of ours."""
    speaker_id: str
    """As it was published then, for people to read."""
    other_id: str | None = None
    name: str | None = None
    ours: tuple[VoiceAnchor, ...] = ()
    theirs: tuple[VoiceAnchor, ...] = ()

    def __str__(self) -> str:
        """Return the decision in words, its ID among them."""
        who = " and ".join(filter(None, (self.speaker_id, self.other_id)))
        return f"{self.kind} of {who} ({self.decision_id}, {self.at:%Y-%m-%d})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLog:
    """All decisions, oldest first, and which of them were taken back."""

    decisions: tuple[Decision, ...]
    undone: frozenset[str]
    """IDs of decisions that do not count any more."""

    @property
    def standing(self) -> tuple[Decision, ...]:
        """The decisions that count."""
        return tuple(one for one in self.decisions if one.decision_id not in self.undone)

    def of_kind(self, kind: DecisionKind) -> tuple[Decision, ...]:
        """Return the decisions of a kind that count."""
        return tuple(one for one in self.standing if one.kind == kind)

    def one_person(self, speaker_id: str) -> frozenset[str]:
        """Return the IDs that merges make one person, this one among them."""
        people = {speaker_id}
        pairs = [{one.speaker_id, one.other_id or one.speaker_id} for one in self.of_kind("merge")]
        while joined := [pair for pair in pairs if pair & people and not pair <= people]:
            people = people.union(*joined)
        return frozenset(people)


def new_decision(kind: DecisionKind, speaker_id: str, **said: Any) -> Decision:
    """Return a decision made now; ``said`` are the other fields."""
    return Decision(decision_id=_new_id(), at=datetime.now(UTC), kind=kind, speaker_id=speaker_id, **said)


def record_decision(lake: Lake, decision: Decision) -> None:
    """Add a decision; it counts from the next link on."""
    _add(lake, decision.decision_id, _plain(decision))


def record_undo(lake: Lake, decision_id: str) -> None:
    """Take a decision back, from the next link on."""
    undo_id = _new_id()
    _add(lake, undo_id, {"kind": _UNDO, "undoes": decision_id, "at": datetime.now(UTC).isoformat()})


def forget_name(lake: Lake, decision: Decision) -> None:
    """Take the person's name out of a decision, the only change that a decision ever sees."""
    lake.store.put(_key(decision.decision_id), json_bytes(_plain(replace(decision, name=None))))


def mark_erased(lake: Lake, forgotten: Iterable[Decision]) -> None:
    """Note that nothing is left of what these decisions removed."""
    for one in forgotten:
        lake.store.create(f"{_ERASED}/{one.decision_id}.json", json_bytes({"at": datetime.now(UTC).isoformat()}))


def is_all_erased(lake: Lake, log: DecisionLog) -> bool:
    """Return whether everybody who was forgotten is gone; False where that was begun and never finished."""
    forgotten = {f"{one.decision_id}.json" for one in log.of_kind("forget")}
    return not forgotten or forgotten <= set(lake.store.list(_ERASED))


def event_ids(lake: Lake) -> frozenset[str]:
    """Return the IDs of all that was ever decided or taken back, by one listing."""
    return frozenset(name.removesuffix(".json") for name in lake.store.list(_FOLDER))


def read_log(lake: Lake) -> DecisionLog:
    """Return what was decided so far; of a lake without decisions by one listing."""
    events = lake.store.read_jsons(_FOLDER).values()
    undone = frozenset(event["undoes"] for event in events if event["kind"] == _UNDO)
    decisions = [_decision(event) for event in events if event["kind"] != _UNDO]
    ordered = sorted(decisions, key=lambda decision: (decision.at, decision.decision_id))
    return DecisionLog(decisions=tuple(ordered), undone=undone)


def _add(lake: Lake, event_id: str, event: Mapping[str, Any]) -> None:
    lake.store.create(_key(event_id), json_bytes(event))


def _key(event_id: str) -> str:
    return f"{_FOLDER}/{event_id}.json"


def _new_id() -> str:
    return f"dec_{uuid.uuid4().hex[:_ID_DIGITS]}"


def _plain(decision: Decision) -> dict[str, Any]:
    return {**asdict(decision), "at": decision.at.isoformat()}


def _decision(event: Mapping[str, Any]) -> Decision:
    anchors = {side: tuple(VoiceAnchor(**anchor) for anchor in event[side]) for side in ("ours", "theirs")}
    return Decision(**{**event, **anchors, "at": datetime.fromisoformat(event["at"])})
