"""Speech with exact truth, for engines that have to understand it: synthetic voices saying what no model was taught.

``tests/models/make/make_speech.py`` made it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np

from storage.records import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Clip, Turn, Word

FOLDER = Path(__file__).parent / "speech"
ARCHIVE = FOLDER / "archive"


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """A sentence with silence around it."""

    clip: Clip
    text: str
    voice: str
    words: tuple[tuple[int, int], ...]
    """Start and end of each word of the text, in milliseconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """A conversation; turns and words carry voices as speakers."""

    clip: Clip
    turns: tuple[Turn, ...]
    words: tuple[Word, ...]
    """By start; their texts in order are what was said."""

    @property
    def voices(self) -> tuple[str, ...]:
        """Who speaks."""
        return tuple(sorted({turn.speaker for turn in self.turns}))


@cache
def sentences() -> tuple[Spoken, ...]:
    """Return unseen sentences, three of each known voice."""
    return tuple(
        Spoken(clip, item["text"], item["voice"], tuple(map(tuple, item["words"])))
        for clip, item in _pieces(FOLDER / "sentences.json")
    )


@cache
def mixtures(n_speakers: int) -> tuple[Mixed, ...]:
    """Return conversations of so many voices (2, 3, 4), 24 s each, a third of the turns overlapping the one before."""
    found = (_mixed(clip, item) for clip, item in _pieces(FOLDER / "mixtures.json"))
    return tuple(talk for talk in found if len(talk.voices) == n_speakers)


@cache
def archive() -> dict[str, Mixed]:
    """Return the recordings of the small archive by their names in it; nobody talks over anybody else."""
    found = {}
    for path in sorted(ARCHIVE.rglob("*.json")):
        ((clip, item),) = _pieces(path)
        found[path.relative_to(ARCHIVE).with_suffix(".opus").as_posix()] = _mixed(clip, item)
    return found


def word_errors(heard: Sequence[str], said: Sequence[str]) -> int:
    """Return the fewest insertions, deletions and substitutions that turn what was said into what was heard."""
    costs = list(range(len(said) + 1))
    for i, word in enumerate(heard, 1):
        diagonal, costs[0] = costs[0], i
        for j, truth in enumerate(said, 1):
            diagonal, costs[j] = costs[j], min(costs[j] + 1, costs[j - 1] + 1, diagonal + (word != truth))
    return costs[-1]


def _mixed(clip: Clip, item: dict) -> Mixed:
    turns = (Turn(start_ms=start, end_ms=end, speaker=voice) for start, end, voice in item["turns"])
    words = (Word(start_ms=start, end_ms=end, text=text) for start, end, _, text in item["words"])
    return Mixed(clip, tuple(turns), tuple(words))


def _pieces(path: Path) -> list[tuple[Clip, dict]]:
    samples = _decoded(path.with_suffix(".opus"))
    return [
        (samples[item["start_ms"] * SAMPLES_PER_MS : item["end_ms"] * SAMPLES_PER_MS], item)
        for item in json.loads(path.read_text())
    ]


@cache
def _decoded(path: Path) -> Clip:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    with av.open(str(path)) as container:
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
    frames += resampler.resample(None)
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    samples.flags.writeable = False
    return samples
