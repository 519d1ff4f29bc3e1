"""What a recording does to a voice: music, the channel, the codec."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from scipy.signal import butter, fftconvolve, resample_poly, sosfiltfilt
from voices import RATE_HZ, Samples

_CHORDS_HZ = ((220.0, 277.2, 329.6), (196.0, 246.9, 293.7), (174.6, 220.0, 261.6), (164.8, 207.7, 246.9))
_NOTE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """The mild damage that one recording does to everything in it; nothing here moves a sound in time."""

    gain_db: float = 0.0
    noise_db: float = -66.0
    """Level of the noise, full scale being 0."""
    band_hz: tuple[float, float] | None = None
    reverb_s: float = 0.0
    """Time in which the room's echo falls by 60 dB; 0 for no room."""

    def colour(self, sound: Samples, rng: np.random.Generator) -> Samples:
        """Return the sound as the channel leaves it, same length, within [-1, 1]."""
        if self.reverb_s:
            sound = fftconvolve(sound, _room(self.reverb_s, rng))[: len(sound)]
        if self.band_hz:
            sound = sosfiltfilt(butter(2, self.band_hz, "bandpass", fs=RATE_HZ, output="sos"), sound)
        noise = rng.standard_normal(len(sound)) * 10 ** (self.noise_db / 20)
        return np.clip(sound * 10 ** (self.gain_db / 20) + noise, -1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How a recording is stored."""

    suffix: str
    codec: str
    rate_hz: int
    n_channels: int = 1
    bit_rate: int | None = None
    has_video: bool = False


def music(length_ms: int, rng: np.random.Generator) -> Samples:
    """Return plucked chords, faded in and out; mono, 16 kHz."""
    n = length_ms * RATE_HZ // 1000
    note_n = int(_NOTE_S * RATE_HZ)
    tune = np.zeros(n + 4 * note_n)
    time = np.arange(4 * note_n) / RATE_HZ
    for step in range(n // note_n):
        chord = _CHORDS_HZ[step // 8 % len(_CHORDS_HZ)]
        pitch = float(rng.choice(chord)) * (1 + step % 2)
        pluck = sum(np.sin(2 * np.pi * pitch * k * time) / k**2 for k in range(1, 5)) * np.exp(-3 * time)
        tune[step * note_n : step * note_n + len(time)] += pluck
    fade = np.minimum(1, np.minimum(np.arange(n), np.arange(n)[::-1]) / RATE_HZ)
    return 0.08 * tune[:n] * fade


def encode(path: Path, channels: Samples, encoding: Encoding) -> None:
    """Write a file; ``channels`` is (n_channels, n) at 16 kHz. The same samples give the same bytes."""
    ratio = Fraction(encoding.rate_hz, RATE_HZ)
    samples = resample_poly(channels, ratio.numerator, ratio.denominator, axis=1)
    pcm = (np.clip(samples, -1, 1) * 32767).round().astype(np.int16)
    layout = "mono" if encoding.n_channels == 1 else "stereo"
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(encoding.codec, rate=encoding.rate_hz, layout=layout)
        stream.codec_context.options = {"flags": "+bitexact"}
        if encoding.bit_rate:
            stream.bit_rate = encoding.bit_rate
        if encoding.has_video:
            _add_video(container, seconds=channels.shape[1] // RATE_HZ)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm.T.reshape(1, -1)), format="s16", layout=layout)
        frame.sample_rate = encoding.rate_hz
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _room(reverb_s: float, rng: np.random.Generator) -> Samples:
    """Return an impulse response whose direct path is undelayed and some 12 dB above the rest."""
    n = int(reverb_s * RATE_HZ)
    tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    tail *= 0.25 / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail


def _add_video(container: av.container.OutputContainer, seconds: int) -> None:
    """Add a grey picture that slowly brightens, one frame per second."""
    stream = container.add_stream("mpeg4", rate=1, options={"flags": "+bitexact"})
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for second in range(seconds):
        picture = np.full((48, 64, 3), 40 + second % 160, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = second
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
