"""Clips that have broken speech engines, and speech for the ones that need to hear some."""

import numpy as np

from storage.records import SAMPLE_RATE_HZ, Clip
from tests.tones import spoken, tone_clip


def hard_clips() -> dict[str, Clip]:
    """Return clips of at most two seconds in which there is nothing to understand."""
    noise = np.random.default_rng(5).normal(0, 0.1, 2 * SAMPLE_RATE_HZ)
    time = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    holes = noise.copy()
    holes[:: SAMPLE_RATE_HZ // 100] = np.nan
    clips = {
        "empty": np.zeros(0),
        "one sample": np.full(1, 0.5),
        "less than a millisecond": np.full(15, 0.5),
        "five milliseconds": noise[:80],
        "silence": np.zeros(SAMPLE_RATE_HZ),
        "direct current": np.ones(SAMPLE_RATE_HZ),
        "clipping": np.sign(np.sin(2 * np.pi * 180 * time)),
        "noise": noise,
        "almost silence": noise * 1e-6,
        "beyond full scale": noise * 1e30,
        "not a number": np.full(SAMPLE_RATE_HZ, np.nan),
        "infinity": np.full(SAMPLE_RATE_HZ, -np.inf),
        "holes": holes,
        "odd length": noise[:12_347],
    }
    with np.errstate(over="ignore"):
        return {name: clip.astype(np.float32) for name, clip in clips.items()}


def tonal_speech() -> dict[str, Clip]:
    """Return what the fake engines take for speech: one voice, and two with an overlap."""
    return {
        "one voice": tone_clip(3000, spoken(200, 400, 8)),
        "two voices": tone_clip(5000, [*spoken(300, 400, 6), *spoken(1500, 900, 10)]),
    }


def babble() -> dict[str, Clip]:
    """Return buzz through two moving formants with the rhythm of syllables: speech to detectors, words to nobody."""
    return {"low voice": _voice(110, 4), "high voice": _voice(205, 4)}


def _voice(pitch_hz: float, seconds: float) -> Clip:
    time = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    pitch = pitch_hz * (1 + 0.08 * np.sin(2 * np.pi * 0.7 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE_HZ
    first, second = 500 + 250 * np.sin(2 * np.pi * 1.9 * time), 1500 + 600 * np.sin(2 * np.pi * 1.3 * time)
    sound = np.zeros_like(time)
    for harmonic in range(1, int(4000 / pitch_hz)):
        frequency = harmonic * pitch
        gain = np.exp(-(((frequency - first) / 120) ** 2)) + 0.5 * np.exp(-(((frequency - second) / 200) ** 2))
        sound += (gain + 0.02) * np.sin(harmonic * phase)
    syllables = np.clip(np.sin(2 * np.pi * 2.2 * time), 0, 1) ** 0.5
    loud = sound * syllables * (np.sin(2 * np.pi * 0.25 * time) > -0.8)
    return (0.3 * loud / np.abs(loud).max()).astype(np.float32)
