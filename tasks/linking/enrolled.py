"""Voices that people brought, among those of the archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storage.enrolled import EnrolledVoice
from tasks.linking.constraints import Constraints
from tasks.linking.local import LocalSpeakers
from tasks.linking.quality import quality_of

_PREFIX = "enrolled:"
_NO_LABEL = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WithEnrolled:
    """Local speakers, and after them one for each enrolled person, as if each were heard in a recording of its own."""

    local: LocalSpeakers
    constraints: Constraints
    """With the enrolled being different people."""
    ids: dict[tuple[str, str], str]
    """speaker_id of each enrolled local speaker, by recording_id and name."""


def with_enrolled(local: LocalSpeakers, constraints: Constraints, voices: Sequence[EnrolledVoice]) -> WithEnrolled:
    """Return local speakers with the enrolled of their model after them."""
    if not voices:
        return WithEnrolled(local=local, constraints=constraints, ids={})
    count, more = len(local), len(voices)
    names = tuple(f"{_PREFIX}{one.speaker_id}" for one in voices)
    speech_ms = np.array([one.speech_ms for one in voices], np.int64)
    chunk = int(local.chunk.max(initial=-1)) + 1 + np.arange(more)
    rows = count + np.arange(more)
    return WithEnrolled(
        local=LocalSpeakers(
            of_label=np.r_[local.of_label, rows],
            recording_ids=(*local.recording_ids, *names),
            recording=np.r_[local.recording, len(local.recording_ids) + np.arange(more)],
            number=np.r_[local.number, np.zeros(more, np.int64)],
            first_label=np.r_[local.first_label, np.full(more, _NO_LABEL)],
            chunk=np.r_[local.chunk, chunk],
            speech_ms=np.r_[local.speech_ms, speech_ms],
            quality=np.r_[local.quality, quality_of(speech_ms).astype(np.float32)],
            vectors=np.concatenate([local.vectors, np.stack([one.vector for one in voices])]),
        ),
        constraints=Constraints(
            together=constraints.together,
            apart=(*constraints.apart, *((rows[[at]], rows[at + 1 :]) for at in range(more - 1))),
            forgotten=constraints.forgotten,
        ),
        ids={(name, "S0"): one.speaker_id for name, one in zip(names, voices, strict=True)},
    )
