"""Synthetic voices that say a text and tell when each word sounds.

Needs flite with its voices and espeak-ng (Debian and Ubuntu: ``apt install flite espeak-ng``). flite prints the ends
of its phones, espeak-ng reports the beginnings of its words; both become word times.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import wave
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

RATE_HZ = 16_000
Samples = NDArray[np.float32]

_FLITE = ("kal16", "awb", "rms", "slt")
_ESPEAK = (
    "en-us+m1", "en-us+m2", "en-us+m3", "en-us+m4", "en-us+m5", "en-us+f1", "en-us+f2", "en-us+f3", "en-us+f4",
    "en-us+klatt2", "en-us+Alicia", "gmw/en", "gmw/en+f5", "gmw/en-GB-scotland",
)  # fmt: skip
VOICES = (*_FLITE, *_ESPEAK)
"""Voices that models are trained on."""
UNSEEN_VOICES = ("en-us+m7", "en-us+f5", "en-us+David", "en-us+Andrea", "en-us+Michael", "gmw/en+Linda")
"""Voices that models never hear in training."""

_PEAK = 0.5
_MARGIN = RATE_HZ // 20
_AUDIBLE = 0.01
_SAMPLES_BY_ESPEAK_HZ = 22_050


@dataclass(frozen=True, slots=True)
class Line:
    """A text as a voice says it."""

    samples: Samples
    """Mono, 16 kHz, peak 0.5, cut to 50 ms around the sound."""
    words: tuple[tuple[float, float], ...]
    """Start and end of each word in seconds."""


def say(voice: str, text: str, pace: float = 1.0) -> Line | None:
    """Return the text in that voice, ``pace`` times as long as usual; None where its word times are in doubt."""
    heard = _say_flite(voice, text, pace) if voice in _FLITE else _say_espeak(voice, text, pace)
    if heard is None or len(heard[1]) != len(text.split()):
        return None
    samples, words = heard
    return _trimmed(samples, words)


def _trimmed(samples: NDArray[np.float64], words: list[tuple[float, float]]) -> Line:
    loud = np.flatnonzero(np.abs(samples) > _AUDIBLE * np.abs(samples).max())
    first, last = max(0, int(loud[0]) - _MARGIN), min(len(samples), int(loud[-1]) + _MARGIN)
    length = (last - first) / RATE_HZ
    shifted = [(max(0.0, start - first / RATE_HZ), min(length, end - first / RATE_HZ)) for start, end in words]
    cut = samples[first:last]
    return Line((cut * (_PEAK / np.abs(cut).max())).astype(np.float32), tuple(shifted))


# ---- flite


def _say_flite(voice: str, text: str, pace: float) -> tuple[NDArray[np.float64], list[tuple[float, float]]] | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "line.wav"
        stretch = ["--setf", f"duration_stretch={pace:.4f}"]
        said = subprocess.run(
            ["flite", "-voice", voice, *stretch, "-psdur", "-t", text, "-o", path],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        with wave.open(str(path)) as file:
            rate_hz = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
    words = _words_of_phones(said.stdout, [_phone_count(voice, word) for word in text.split()])
    return None if words is None else (resample_poly(samples, RATE_HZ, rate_hz), words)


def _words_of_phones(printed: str, counts: list[int]) -> list[tuple[float, float]] | None:
    """Return word times from ``phone:end`` pairs and the phones that each word has when said alone."""
    spans, last = [], 0.0
    for item in printed.split():
        phone, _, end = item.partition(":")
        if phone != "pau":
            spans.append((last, float(end)))
        last = float(end)
    if len(spans) != sum(counts):
        return None
    edges = np.cumsum([0, *counts])
    return [(spans[a][0], spans[b - 1][1]) for a, b in pairwise(edges)]


@cache
def _phone_count(voice: str, word: str) -> int:
    said = subprocess.run(
        ["flite", "-voice", voice, "-psdur", "-t", word, "-o", "none"], check=True, capture_output=True, text=True
    )
    return sum(not item.startswith("pau:") for item in said.stdout.split())


# ---- espeak-ng, through its library, because its command prints no times


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
_SYNCHRONOUS, _WORD, _UTF8, _RATE, _USUAL_RATE = 2, 1, 1, 1, 165


@cache
def _espeak() -> ctypes.CDLL:
    name = find_library("espeak-ng")
    if name is None:
        message = "espeak-ng is missing: apt install espeak-ng"
        raise RuntimeError(message)
    library = ctypes.CDLL(name)
    library.espeak_Initialize(_SYNCHRONOUS, 0, None, 0)
    return library


def _say_espeak(voice: str, text: str, pace: float) -> tuple[NDArray[np.float64], list[tuple[float, float]]]:
    library, parts, starts = _espeak(), [], []

    def hear(wav: ctypes._Pointer[ctypes.c_short], n: int, events: ctypes._Pointer[_Event]) -> int:
        if wav and n:
            parts.append(np.ctypeslib.as_array(wav, (n,)).copy())
        i = 0
        while events[i].type:
            if events[i].type == _WORD:
                starts.append(events[i].audio_position / 1000)
            i += 1
        return 0

    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        message = f"espeak-ng has no voice {voice}"
        raise RuntimeError(message)
    callback = _CALLBACK(hear)
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetParameter(_RATE, round(_USUAL_RATE / pace), 0)
    spoken = text.encode() + b"\0"
    library.espeak_Synth(spoken, ctypes.c_size_t(len(spoken)), 0, 0, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    samples = resample_poly(np.concatenate(parts) / 32768, RATE_HZ, _SAMPLES_BY_ESPEAK_HZ)
    ends = [*starts[1:], float(np.flatnonzero(np.abs(samples) > _AUDIBLE).max(initial=0)) / RATE_HZ]
    return samples, list(zip(starts, ends, strict=True))
