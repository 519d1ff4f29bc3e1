"""The utterances that the small models are trained on and tested with; made once, then read from a cache.

The cache lies in the folder that ``VOXLAKE_CORPUS`` names, else in the system's folder for temporary files.
"""

from __future__ import annotations

import os
import pickle
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.models.make.sentences import sentence, word_salad
from tests.models.make.voices import UNSEEN_VOICES, VOICES, Samples, say

_VERSION = 1
_SENTENCES_PER_VOICE = 170
_HELD_OUT_PER_VOICE = 12
_SALADS = 0.2
_SLOWEST, _FASTEST = 1.2, 0.85
_HELD_OUT_SEED, _TRAINING_SEED = 7, 8


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of one voice."""

    voice: str
    text: str
    samples: Samples
    """Mono float32, 16 kHz, peak 0.5, cut to 50 ms around the sound."""
    words: tuple[tuple[float, float], ...]
    """Start and end of each word of the text, in seconds."""
    is_unseen_voice: bool = False


def training_utterances() -> list[Utterance]:
    """Return about three thousand utterances of the known voices, 20 % of them words in no order."""
    return _cached("training", _make_training)


def held_out_utterances() -> list[Utterance]:
    """Return sentences that no training utterance has, in the known voices and in some unseen ones."""
    return _cached("held-out", _make_held_out)


def held_out_texts() -> set[str]:
    """Return what must not be trained on."""
    rng = random.Random(_HELD_OUT_SEED)
    return {sentence(rng) for _ in range(_HELD_OUT_PER_VOICE * (len(VOICES) + len(UNSEEN_VOICES)))}


def _make_training() -> list[Utterance]:
    rng, forbidden = random.Random(_TRAINING_SEED), held_out_texts()
    made = []
    for voice in VOICES:
        texts: set[str] = set()
        while len(texts) < _SENTENCES_PER_VOICE:
            texts.add(word_salad(rng) if rng.random() < _SALADS else sentence(rng))
        made += _said(voice, sorted(texts - forbidden), rng)
    return made


def _make_held_out() -> list[Utterance]:
    rng = random.Random(_HELD_OUT_SEED)
    texts = sorted(held_out_texts())
    rng.shuffle(texts)
    made = []
    for i, voice in enumerate((*VOICES, *UNSEEN_VOICES)):
        made += _said(voice, texts[i * _HELD_OUT_PER_VOICE : (i + 1) * _HELD_OUT_PER_VOICE], rng)
    return made


def _said(voice: str, texts: list[str], rng: random.Random) -> list[Utterance]:
    lines = [(text, say(voice, text, rng.uniform(_FASTEST, _SLOWEST))) for text in texts]
    return [Utterance(voice, text, line.samples, line.words, voice in UNSEEN_VOICES) for text, line in lines if line]


def _cached(name: str, make) -> list[Utterance]:
    folder = Path(os.environ.get("VOXLAKE_CORPUS", Path(tempfile.gettempdir()) / "voxlake-corpus"))
    path = folder / f"{name}-{_VERSION}.pickle"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(pickle.dumps(make()))
        part.replace(path)
    return pickle.loads(path.read_bytes())
