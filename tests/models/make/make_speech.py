"""Make the speech that the small models are tested on: ``python -m tests.models.make.make_speech tests/speech``.

Sentences and conversations from utterances that no model was trained on, as Opus with the truth beside it as JSON, and
a small archive of conversations in which the same persons return. Needs flite and espeak-ng.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tests.media import write_media
from tests.models.make.corpus import Utterance, held_out_utterances
from tests.models.make.mixtures import Mixture, by_voice, mix
from tests.models.make.voices import RATE_HZ, Samples

_SENTENCES_PER_VOICE = 3
_MIXTURES = {2: 10, 3: 4, 4: 4}
_MIXTURE_S = 24.0
_OVERLAP = 0.35
_ARCHIVE = {
    "club/first-evening": ("slt", "rms"),
    "club/second-evening": ("rms", "en-us+klatt2"),
    "letters/by-the-harbour": ("slt", "en-us+klatt2"),
    "letters/on-the-mountain": ("slt", "en-us+Alicia"),
}
_RECORDING_S = 40.0
_OPUS_BIT_RATE = 32_000


def main(folder: Path) -> None:
    """Write everything below the folder."""
    known = [utterance for utterance in held_out_utterances() if not utterance.is_unseen_voice]
    rng = random.Random(11)
    _write_sentences(folder, known, rng)
    spoken = by_voice(known)
    conversations = [
        mix(rng, spoken, n_speakers=n, length_s=_MIXTURE_S, overlap=_OVERLAP)
        for n, count in _MIXTURES.items()
        for _ in range(count)
    ]
    _write_mixtures(folder / "mixtures", conversations)
    for name, voices in _ARCHIVE.items():
        talk = mix(rng, spoken, n_speakers=len(voices), length_s=_RECORDING_S, overlap=0.0, voices=voices)
        _write_mixtures(folder / "archive" / name, [talk])


def _write_sentences(folder: Path, known: Sequence[Utterance], rng: random.Random) -> None:
    chosen = [u for said in by_voice(known).values() for u in said[:_SENTENCES_PER_VOICE]]
    pauses = [np.zeros(round(rng.uniform(0.2, 0.6) * RATE_HZ), np.float32) for _ in range(2 * len(chosen))]
    sounds, truth, at = [], [], 0
    for i, said in enumerate(chosen):
        clip = np.concatenate([pauses[2 * i], said.samples, pauses[2 * i + 1]])
        lead_s = len(pauses[2 * i]) / RATE_HZ
        words = [(_ms(lead_s + start), _ms(lead_s + end)) for start, end in said.words]
        length_ms = len(clip) * 1000 // RATE_HZ
        clip = clip[: length_ms * RATE_HZ // 1000]
        truth.append({"start_ms": at, "end_ms": at + length_ms, "voice": said.voice, "text": said.text, "words": words})
        sounds.append(clip)
        at += length_ms
    _write(folder / "sentences", np.concatenate(sounds), truth)


def _write_mixtures(path: Path, conversations: Sequence[Mixture]) -> None:
    truth, at = [], 0
    for talk in conversations:
        length_ms = len(talk.samples) * 1000 // RATE_HZ
        turns = [(_ms(start), _ms(end), voice) for start, end, voice in talk.turns]
        words = [(_ms(start), _ms(end), voice, text) for start, end, voice, text in talk.words]
        truth.append({"start_ms": at, "end_ms": at + length_ms, "turns": turns, "words": words})
        at += length_ms
    _write(path, np.concatenate([talk.samples for talk in conversations]), truth)


def _write(path: Path, samples: Samples, truth: Iterable[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_media(path.with_suffix(".opus"), samples[None], bit_rate=_OPUS_BIT_RATE)
    lines = ",\n".join(json.dumps(item) for item in truth)
    path.with_suffix(".json").write_text(f"[\n{lines}\n]\n")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
