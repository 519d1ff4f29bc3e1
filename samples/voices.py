"""The persons of the archive, and the synthetic voices they speak with.

A person is a flite voice, possibly moved to another vocal-tract length: played faster or slower (which scales the
formants and the pitch alike) while flite is told to speak at the pace that undoes the change of tempo.
"""

from __future__ import annotations

import subprocess
import tempfile
import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

Samples = NDArray[np.float64]
RATE_HZ = 16_000
"""Rate of every voice, and of all sound until it is encoded."""

FRAME_MS = 10
AUDIBLE_DB = -40.0
"""A frame this far below the loudest of its line is silence."""
PAUSE_MS = 300
"""Silence of this length and more inside a line is left out of the truth."""
SPEECH_RMS = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who speaks in the archive."""

    name: str
    flite: str
    """Voice name as flite knows it."""
    formants: Fraction = Fraction(1)
    """Factor on all resonances and the pitch."""
    pace: float = 1.0
    """Duration relative to the voice's own."""

    @property
    def voice(self) -> str:
        """Describe the voice in a few words."""
        return f"flite {self.flite}" + (f", formants x {float(self.formants):.2f}" if self.formants != 1 else "")


PERSONS = {
    person.name: person
    for person in (
        Person(name="anna", flite="slt", pace=1.05),
        Person(name="ruth", flite="slt", formants=Fraction(4, 5), pace=1.06),
        Person(name="tom", flite="rms", formants=Fraction(19, 20)),
        Person(name="jamie", flite="rms", formants=Fraction(59, 50)),
        Person(name="angus", flite="awb", formants=Fraction(26, 25), pace=1.05),
        Person(name="walter", flite="kal16", pace=1.1),
    )
}


def speak(person: Person, text: str) -> Samples:
    """Return a line as the person says it: mono, 16 kHz, one loudness for all, cut to its sound."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "line.wav"
        stretch = person.pace * float(person.formants)
        subprocess.run(
            ["flite", "-voice", person.flite, "--setf", f"duration_stretch={stretch:.4f}", "-t", text, "-o", path],
            check=True,
        )
        with wave.open(str(path)) as file:
            rate_hz = file.getframerate()
            raw = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
    ratio = Fraction(RATE_HZ, rate_hz) / person.formants
    sound = resample_poly(raw, ratio.numerator, ratio.denominator)
    spans = audible_spans_ms(sound)
    first, last = spans[0][0], spans[-1][1]
    sound = sound[first * RATE_HZ // 1000 : last * RATE_HZ // 1000]
    return sound * (SPEECH_RMS / np.sqrt(np.mean(sound**2)))


def audible_spans_ms(sound: Samples) -> list[tuple[int, int]]:
    """Return where a line can be heard, pauses shorter than ``PAUSE_MS`` included; half-open, in milliseconds."""
    frame = RATE_HZ * FRAME_MS // 1000
    n_frames = -(-len(sound) // frame)
    padded = np.zeros(n_frames * frame)
    padded[: len(sound)] = sound
    power = np.mean(padded.reshape(n_frames, frame) ** 2, axis=1)
    length_ms = len(sound) * 1000 // RATE_HZ
    spans: list[tuple[int, int]] = []
    for index in np.flatnonzero(power > power.max() * 10 ** (AUDIBLE_DB / 10)):
        start, end = int(index) * FRAME_MS, min((int(index) + 1) * FRAME_MS, length_ms)
        if spans and start - spans[-1][1] < PAUSE_MS:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans
