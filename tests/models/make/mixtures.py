"""Conversations put together from utterances, with the truth about turns and words."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.models.make.corpus import Utterance
from tests.models.make.voices import RATE_HZ, Samples

_MARGIN_S = 0.05
_OVERLAP_S = (0.3, 1.5)
_PAUSE_S = (0.15, 1.2)
_FIRST_S = (0.2, 1.0)
_GAIN = (0.5, 1.0)
_NOISE = (1e-4, 2e-3)
_SAME_AGAIN = 0.2
"""How often the one who spoke goes on."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """A conversation."""

    samples: Samples
    turns: tuple[tuple[float, float, str], ...]
    """Start and end in seconds, and voice, of each utterance's sound; sorted by start."""
    words: tuple[tuple[float, float, str, str], ...]
    """Start and end in seconds, voice and text of each word; sorted by start."""


def by_voice(utterances: Iterable[Utterance]) -> dict[str, list[Utterance]]:
    """Return the utterances of each voice."""
    found: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        found[utterance.voice].append(utterance)
    return dict(found)


def mix(
    rng: random.Random,
    utterances_by_voice: Mapping[str, Sequence[Utterance]],
    *,
    n_speakers: int,
    length_s: float,
    overlap: float,
    voices: Sequence[str] | None = None,
) -> Mixture:
    """Return a conversation of up to that length.

    Args:
        rng: Source of chance.
        utterances_by_voice: What can be said.
        n_speakers: Voices in it; all of them speak if there is time.
        length_s: Seconds; the sound is exactly so long.
        overlap: How often a turn begins before the one before it ends, in [0, 1].
        voices: Whose; by chance if not said.
    """
    chosen = list(voices or rng.sample(sorted(utterances_by_voice), n_speakers))
    gains = {voice: rng.uniform(*_GAIN) for voice in chosen}
    samples = np.zeros(round(length_s * RATE_HZ), np.float32)
    turns: list[tuple[float, float, str]] = []
    words: list[tuple[float, float, str, str]] = []
    silent, last, at_s, speaks_until = list(chosen), "", rng.uniform(*_FIRST_S), dict.fromkeys(chosen, 0.0)
    while True:
        voice = _next_speaker(rng, chosen, silent, last)
        said = rng.choice(utterances_by_voice[voice])
        if turns:
            is_overlapping = voice != last and rng.random() < overlap
            at_s += -rng.uniform(*_OVERLAP_S) if is_overlapping else rng.uniform(*_PAUSE_S)
        at_s = max(at_s, speaks_until[voice] + _MARGIN_S, turns[-1][0] + _PAUSE_S[0] if turns else 0.0)
        first = round(at_s * RATE_HZ)
        if first + len(said.samples) > len(samples):
            break
        samples[first : first + len(said.samples)] += gains[voice] * said.samples
        start_s, length = first / RATE_HZ, len(said.samples) / RATE_HZ
        turns.append((start_s + _MARGIN_S, start_s + length - _MARGIN_S, voice))
        words += [(start_s + a, start_s + b, voice, w) for (a, b), w in zip(said.words, said.text.split(), strict=True)]
        speaks_until[voice] = start_s + length
        at_s, last = max(start_s + length, *speaks_until.values()), voice
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, rng.uniform(*_NOISE), len(samples))
    loudest = max(1.0, float(np.abs(samples).max()) / 0.9)
    return Mixture(samples / np.float32(loudest) + noise.astype(np.float32), tuple(sorted(turns)), tuple(sorted(words)))


def _next_speaker(rng: random.Random, chosen: list[str], silent: list[str], last: str) -> str:
    """Return who speaks: first everybody once, then mostly somebody else."""
    if silent:
        return silent.pop(rng.randrange(len(silent)))
    others = [voice for voice in chosen if voice != last]
    return last if not others or (last and rng.random() < _SAME_AGAIN) else rng.choice(others)
