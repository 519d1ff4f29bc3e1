"""What recognisers are taught with: sentences, parts of them, words with pauses, conversations in turns, and no speech.

A model that only ever hears whole sentences, cut at their sound, learns their shape and writes words into silence and
noise. So there is silence around everything from the start, and sound without a text.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.models.make.corpus import Utterance
from tests.models.make.mixtures import by_voice
from tests.models.make.voices import RATE_HZ, Samples

_RECORDED_VOICES = ("kal16", "awb", "rms", "slt")
"""Voices made of recorded speech are harder, so they are heard more often."""
_SHARE_OF_RECORDED = 0.5
_EDGE_S = 0.04
_KINDS = {"sentence": 0.46, "part": 0.14, "words": 0.14, "several": 0.2, "nothing": 0.06}


@dataclass(frozen=True, slots=True)
class Lesson:
    """A clip and what is said in it."""

    samples: Samples
    text: str


class Teacher:
    """Makes lessons out of utterances; the same seed makes the same ones."""

    def __init__(self, utterances: Sequence[Utterance], seed: int) -> None:
        self._rng = random.Random(seed)
        self._noise = np.random.default_rng(seed)
        self._said = by_voice(utterances)
        self._recorded = [voice for voice in self._said if voice in _RECORDED_VOICES]
        self._synthetic = [voice for voice in self._said if voice not in _RECORDED_VOICES]

    def batches(self, n_batches: int, batch_s: float) -> list[list[Lesson]]:
        """Return batches of lessons of similar length, each of about so many seconds, in any order."""
        lessons, made_s = [], 0.0
        while made_s < n_batches * batch_s:
            lessons.append(self.lesson())
            made_s += len(lessons[-1].samples) / RATE_HZ
        batches: list[list[Lesson]] = [[]]
        for lesson in sorted(lessons, key=lambda lesson: len(lesson.samples)):
            if (len(batches[-1]) + 1) * len(lesson.samples) > batch_s * RATE_HZ:
                batches.append([])
            batches[-1].append(lesson)
        batches = [batch for batch in batches if batch]
        self._rng.shuffle(batches)
        return batches

    def lesson(self) -> Lesson:
        """Return one of any kind."""
        (kind,) = self._rng.choices(list(_KINDS), list(_KINDS.values()))
        if kind == "nothing":
            return Lesson(self._nothing(), "")
        if kind == "several":
            parts = [self._sentence(self._voice()) for _ in range(self._rng.choice((2, 2, 2, 3, 3, 4)))]
            return self._recording(self._joined(parts, 0.08, 1.4))
        voice = self._voice()
        if kind == "words":
            parts = [self._part(voice, 1) for _ in range(self._rng.choice((1, 1, 1, 2, 3, 5)))]
            return self._recording(self._joined(parts, 0.1, 1.0))
        if kind == "part":
            return self._recording(self._part(voice, self._rng.randint(2, 6)))
        return self._recording(self._sentence(voice))

    def _voice(self) -> str:
        is_recorded = self._rng.random() < _SHARE_OF_RECORDED
        return self._rng.choice(self._recorded if is_recorded else self._synthetic)

    def _sentence(self, voice: str) -> Lesson:
        said = self._rng.choice(self._said[voice])
        return Lesson(said.samples, said.text)

    def _part(self, voice: str, n_words: int) -> Lesson:
        """Return some words of a sentence, cut out of it."""
        said = self._rng.choice(self._said[voice])
        texts = said.text.split()
        first = self._rng.randrange(max(1, len(texts) - n_words + 1))
        last = min(len(texts), first + n_words) - 1
        start = max(0, round((said.words[first][0] - _EDGE_S) * RATE_HZ))
        end = round((said.words[last][1] + _EDGE_S) * RATE_HZ)
        samples, fade = said.samples[start:end].copy(), np.linspace(0, 1, 160, dtype=np.float32)
        samples[:160] *= fade
        samples[-160:] *= fade[::-1]
        return Lesson(samples, " ".join(texts[first : last + 1]))

    def _joined(self, parts: Sequence[Lesson], shortest_s: float, longest_s: float) -> Lesson:
        pieces: list[Samples] = []
        for part in parts:
            pieces += [part.samples * np.float32(self._rng.uniform(0.5, 1)), self._silence(shortest_s, longest_s)]
        return Lesson(np.concatenate(pieces[:-1]), " ".join(part.text for part in parts))

    def _recording(self, lesson: Lesson) -> Lesson:
        """Return the lesson with silence around it, louder or softer, in some noise."""
        before, after = (self._silence(0, self._rng.choice((0.1, 0.4, 1.0))) for _ in range(2))
        samples = np.concatenate([before, lesson.samples, after])
        gain = 10 ** self._rng.uniform(-1, 0.25)
        return Lesson(gain * samples + self._hiss(len(samples), 10 ** self._rng.uniform(-5, -2)), lesson.text)

    def _silence(self, shortest_s: float, longest_s: float) -> Samples:
        return np.zeros(round(self._rng.uniform(shortest_s, longest_s) * RATE_HZ), np.float32)

    def _nothing(self) -> Samples:
        """Return silence, noise, hum or a rumble of 0.5 to 6 seconds."""
        length = round(self._rng.uniform(0.5, 6) * RATE_HZ)
        kind = self._rng.randrange(4)
        if kind == 0:
            return np.full(length, self._rng.choice((0, 0, self._rng.uniform(-1, 1))), np.float32)
        hiss = self._hiss(length, 10 ** self._rng.uniform(-6, 0))
        if kind == 1:
            return hiss.clip(-1, 1)
        if kind == 2:
            phase = 2 * np.pi * self._rng.uniform(40, 2000) * np.arange(length) / RATE_HZ
            tone = 10 ** self._rng.uniform(-2, 0) * np.sin(phase)
            tone = np.sign(tone) if self._rng.random() < 0.3 else tone
            return (tone + 0.01 * hiss).clip(-1, 1).astype(np.float32)
        rumble = np.convolve(hiss, np.ones(32, np.float32) / 6, mode="same") * np.interp(
            np.arange(length), np.linspace(0, length, 8), self._noise.uniform(0, 1, 8)
        )
        return rumble.clip(-1, 1).astype(np.float32)

    def _hiss(self, length: int, level: float) -> Samples:
        return (level * self._noise.standard_normal(length)).astype(np.float32)
