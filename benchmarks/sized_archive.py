"""Archives of as many small recordings as wanted: conversations of two people out of a crowd, in tones.

Five seconds each, as telephones send them (8 kHz, mu-law), 40 KB: 100,000 of them take 4 GB and a minute or two to
write. Who speaks is told by the pitch of a tone and by its loudness; every voice is heard for as long as linking needs.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path

import numpy as np

from tasks.engines.fake import CROWD_STEP
from tasks.engines.tones import VOICES_HZ

CROWD = {"VOXLAKE_EMBEDDER__OPTIONS": '{"crowd": true}'}
"""What lets the fake embedder tell these people apart."""
_RATE_HZ = 8_000
_PER_FOLDER = 500
_PITCHES = tuple(hz for hz in VOICES_HZ if hz <= 3_000)
_QUIETEST, _LOUDNESSES = 0.06, 100
_MEETINGS_EACH = 20
_TURN_MS, _PAUSE_MS = 2_100, 200
_STRIDE, _LENGTHS = 3_571, 4_000
"""Silence at the end is up to so many samples long, so that sizes differ as they do in archives."""
_MULAW_FORMAT = 7


def write_archive(archive: Path, n_recordings: int, *, broken_every: int | None = None) -> None:
    """Write the recordings that are not there, each with bytes of its own; of some only nonsense."""
    n_people = max(8, min(n_recordings // _MEETINGS_EACH, len(_PITCHES) * _LOUDNESSES))
    for index in range(n_recordings):
        path = archive / f"{index // _PER_FOLDER:04d}" / f"{index:08d}.wav"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        is_broken = broken_every is not None and index % broken_every == 0
        path.write_bytes(f"no sound at all: {index}\n".encode() * 8 if is_broken else _recording(index, n_people))


def _recording(index: int, n_people: int) -> bytes:
    """Return what two people say one after the other, the number of the recording hidden in the silence after it."""
    first = index % n_people
    other = (first + 1 + index // n_people % (len(_PITCHES) - 1)) % n_people
    silence = _mulaw(np.zeros(_PAUSE_MS * _RATE_HZ // 1000))
    number = _mulaw(np.array([(index >> 2 * digit & 3) / 4096 for digit in range(16)]))
    rest = _mulaw(np.zeros(index * _STRIDE % _LENGTHS))
    samples = b"".join([silence, _said_by(first), silence, _said_by(other), silence, number, rest])
    form = struct.pack("<HHIIHHH", _MULAW_FORMAT, 1, _RATE_HZ, _RATE_HZ, 1, 8, 0)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


@lru_cache(maxsize=8_192)
def _said_by(person: int) -> bytes:
    """Return one person's turn: who it is says the tone, and how loud it is."""
    pitch_hz, loudness = _PITCHES[person % len(_PITCHES)], person // len(_PITCHES) % _LOUDNESSES
    time_s = np.arange(_TURN_MS * _RATE_HZ // 1000) / _RATE_HZ
    return _mulaw(_QUIETEST * CROWD_STEP**loudness * np.sin(2 * np.pi * pitch_hz * time_s))


def _mulaw(samples: np.ndarray) -> bytes:
    """Return samples in [-1, 1] as ITU-T G.711 mu-law has them."""
    level = np.minimum(np.abs(samples) * 32_768 + 132, 32_767).astype(np.int64)
    exponent = np.floor(np.log2(level)).astype(np.int64) - 7
    mantissa = (level >> (exponent + 3)) & 0xF
    sign = np.where(samples < 0, 0x80, 0)
    return (~(sign | exponent << 4 | mantissa) & 0xFF).astype(np.uint8).tobytes()
