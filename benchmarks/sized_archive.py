"""Archives of as many small recordings as wanted: conversations of two people out of a crowd, in tones."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.records import SAMPLE_RATE_HZ
from tasks.engines.fake import CROWD_STEP
from tasks.engines.tones import VOICES_HZ

CROWD = {"VOXLAKE_EMBEDDER__OPTIONS": '{"crowd": true}'}
"""What lets the fake embedder tell these people apart."""
_PER_FOLDER = 500
_QUIETEST = 0.06
_LOUDNESSES = 200
_MEETINGS_EACH = 20
_TURN_MS, _PAUSE_MS = 600, 200
_STRIDE, _LENGTHS = 3_571, 8_000
"""Silence at the end is up to so many samples long, so that sizes differ as they do in archives."""


def write_archive(archive: Path, n_recordings: int, *, broken: float = 0.0) -> None:
    """Write the recordings that are not there, each with bytes of its own; a share of them is broken."""
    n_people = max(8, n_recordings // _MEETINGS_EACH)
    pace = round(1 / broken) if broken else 0
    for index in range(n_recordings):
        path = archive / f"{index // _PER_FOLDER:04d}" / f"{index:08d}.wav"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if pace and index % pace == 0:
            path.write_bytes(f"no sound at all, number {index}\n".encode() * 8)
            continue
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
            file.writeframes(_conversation(index, n_people).tobytes())


def _conversation(index: int, n_people: int) -> NDArray[np.int16]:
    """Return what two people say one after the other, the number of the recording hidden in the silence after it."""
    first = index % n_people
    other = (first + 1 + index // n_people % (len(VOICES_HZ) - 1)) % n_people
    silence = np.zeros(_PAUSE_MS * SAMPLE_RATE_HZ // 1000, np.int16)
    rest = np.zeros(16 + index * _STRIDE % _LENGTHS, np.int16)
    rest[:16] = [index >> (2 * digit) & 3 for digit in range(16)]
    return np.concatenate([silence, _said_by(first), silence, _said_by(other), silence, rest])


def _said_by(person: int) -> NDArray[np.int16]:
    """Return one person's turn: who it is says the tone, and how loud it is."""
    voice_hz, loudness = VOICES_HZ[person % len(VOICES_HZ)], person // len(VOICES_HZ) % _LOUDNESSES
    time_s = np.arange(_TURN_MS * SAMPLE_RATE_HZ // 1000) / SAMPLE_RATE_HZ
    amplitude = 32_767 * _QUIETEST * CROWD_STEP**loudness
    return (amplitude * np.sin(2 * np.pi * voice_hz * time_s)).astype("<i2")
