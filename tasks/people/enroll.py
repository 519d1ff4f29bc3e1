"""Enroll somebody: fingerprints of clips in which a known person speaks, kept in the lake."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from storage.addresses import absolute_url, public_url
from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.decisions import Decision, DecisionLog, new_decision, read_log, record_decision
from storage.enrolled import EnrolledClip, read_clips, write_clips
from storage.errors import ConfigError, EngineError, RecordingError
from storage.lake import Lake
from storage.records import SAMPLES_PER_MS, Clip
from tasks.audio.chunking import ChunkCutter, CutChunk
from tasks.audio.decode import open_recording
from tasks.audio.detect import detection_with
from tasks.people.who import KnownSpeakers, known_speakers
from tasks.planning.plan_files import latest_plan
from tasks.planning.recipes import RecipeBook
from tasks.planning.spec import RunSpec
from tasks.stages.calling import call_each, check_fingerprint
from tasks.stages.engine_set import EngineSet
from tasks.stages.fingerprint import choose_speech

SHORTEST_SPEECH_MS = 2_000
"""Speech that a clip must have to say how somebody sounds."""
_ID_DIGITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Who was enrolled, by which clips."""

    decision: Decision
    clips: tuple[EnrolledClip, ...]
    problems: tuple[str, ...]
    """Clips that were left out, and why."""


def enroll_speaker(lake_url: str, name: str, clips: Sequence[str], *, speaker: str | None = None) -> Enrolment:
    """Enroll a person and name them; they count as a speaker from the next link on.

    Args:
        lake_url: The lake; its latest plan says which detector and embedder hear the clips.
        name: What the person is called.
        clips: Files or URLs of any audio in which only this person speaks, two seconds or more each.
        speaker: ID or name of the speaker whom the clips belong to; a new one by default.

    Raises:
        ConfigError: no clip is good enough, the name is somebody else's, the speaker is not known, the lake has no
            plan, or an engine of its plan is not here.
    """
    lake, spec = Lake(lake_url), latest_plan(lake_url).spec
    known = known_speakers(lake)
    speaker_id = known.find(speaker) if speaker else None
    _refuse_name_of_another(known, name, speaker_id)
    heard, problems = [], []
    for url in clips:
        try:
            heard.append(_hear(spec, url))
        except (RecordingError, EngineError) as problem:
            problems.append(str(problem))
    if not heard:
        raise ConfigError(f"clips of {name!r}", "; ".join(problems) or "there are none", "give other clips")
    decision = new_decision("enroll", speaker_id or "", name=name)
    decision = decision if speaker_id else _as_somebody_new(decision, known)
    write_clips(lake, decision.decision_id, heard)
    record_decision(lake, decision)
    if known.names.get(decision.speaker_id) != name:
        lake.name_speaker(decision.speaker_id, name)
    return Enrolment(decision=decision, clips=tuple(heard), problems=tuple(problems))


def enrolment_rows(lake: Lake, log: DecisionLog, models: frozenset[str]) -> list[dict[str, Any]]:
    """Return the clips that stand, and whether they count: those of other models are to be enrolled again."""
    return [
        {
            "speaker_id": decision.speaker_id,
            "clip": clip.clip,
            "seconds": round(clip.speech_ms / 1000, 1),
            "model": clip.model,
            "counts": clip.model in models,
            "decision_id": decision.decision_id,
        }
        for decision in log.of_kind("enroll")
        for clip in read_clips(lake, decision.decision_id)
    ]


def outdated_enrolments(lake_url: str) -> list[dict[str, Any]]:
    """Return the clips that do not count, since the lake is fingerprinted by another model now."""
    lake = Lake(lake_url)
    log = read_log(lake)
    if not log.of_kind("enroll"):
        return []
    return [row for row in enrolment_rows(lake, log, models_in_use(lake_url)) if not row["counts"]]


def models_in_use(lake_url: str) -> frozenset[str]:
    """Return the embedders of the fingerprints that are published."""
    with open_catalog(lake_url) as catalog, asking(lake_url):
        return frozenset(model for (model,) in catalog.execute("SELECT DISTINCT model FROM fingerprints").fetchall())


def _refuse_name_of_another(known: KnownSpeakers, name: str, speaker_id: str | None) -> None:
    bearers = sorted({known.current(one) for one, theirs in known.names.items() if theirs == name} - {speaker_id})
    if bearers:
        raise ConfigError(
            f"name {name!r}",
            f"is that of {', '.join(bearers)}",
            f"to add clips to them give --speaker {bearers[0]}; else give another name",
        )


def _as_somebody_new(decision: Decision, known: KnownSpeakers) -> Decision:
    digits = hashlib.sha256(decision.decision_id.encode()).hexdigest()
    ids = (f"spk_{digits[start : start + _ID_DIGITS]}" for start in range(len(digits) - _ID_DIGITS))
    return replace(decision, speaker_id=next(one for one in ids if one not in known.merged_into))


def _hear(spec: RunSpec, url: str) -> EnrolledClip:
    """Return the fingerprint of a clip.

    Raises:
        RecordingError: it cannot be decoded, or has too little speech.
        EngineError: an engine failed on it.
    """
    engines = EngineSet(spec)
    pieces = list(_speech(spec, engines, url))
    speech = np.concatenate(pieces) if pieces else np.empty(0, np.float32)
    name, speech_ms = posixpath.basename(public_url(url)), len(speech) // SAMPLES_PER_MS
    if speech_ms < SHORTEST_SPEECH_MS:
        raise RecordingError(
            f"clip {name!r}",
            f"has {speech_ms / 1000:.1f} s of speech",
            f"give one in which this person speaks for {SHORTEST_SPEECH_MS / 1000:.0f} s or more",
        )

    def embed(_: Sequence[int]) -> list[Any]:
        return [check_fingerprint(spec.embedder.name, vector) for vector in engines.embedder.embed([speech])]

    (vector,) = call_each(spec.embedder.name, embed, [0])
    if isinstance(vector, EngineError):
        raise vector
    if vector is None:
        raise RecordingError(f"clip {name!r}", "has no voice in it", "give another")
    return EnrolledClip(clip=name, model=RecipeBook(spec).embedder_model(), speech_ms=speech_ms, vector=vector)


def _speech(spec: RunSpec, engines: EngineSet, url: str) -> Iterator[Clip]:
    """Yield the longest stretches of speech of the clip's first chunk, which is ten minutes or so; channels mixed."""
    root = absolute_url(url)
    cutter = ChunkCutter(detection_with(spec.detector.name, engines.detector), spec.chunking, "mix")
    with open_recording(root, posixpath.basename(root)) as recording:
        cut: CutChunk | None = next(iter(cutter.cut(recording.blocks())), None)
    if cut is not None:
        for span in choose_speech(cut.chunk.speech):
            yield cut.clip[span.start_ms * SAMPLES_PER_MS : span.end_ms * SAMPLES_PER_MS]
