"""What a small Whisper is trained on: windows of speech with silence, noise and cuts, and what has to be written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from faster_whisper.feature_extractor import FeatureExtractor

from tests.models.make.corpus import Utterance
from tests.models.make.german import translation
from tests.models.make.voices import RATE_HZ, Samples
from tests.models.make.whisper_tokens import Tokens

N_MELS, FRAMES_HZ = 80, 100
IGNORED = -100
_FFT, _HOP = 400, 160
_SPEED = (0.9, 1.12)
_GAIN = (0.25, 1.8)
_LEAD_S, _GAP_S = 1.5, 1.2
_NOISE_LOG10 = (-4.5, -2.0)
_EDGE_S = 0.1
_END_OF_TEXT_S = 0.3


@dataclass(frozen=True, slots=True)
class Heard:
    """A word in a window: when, as it is said, as it has to be written, and in which utterance."""

    start_s: float
    end_s: float
    said: str
    written: str
    utterance: int


@dataclass(frozen=True, slots=True)
class Window:
    """Sound for the encoder, and what is in it."""

    samples: Samples
    words: tuple[Heard, ...]
    language: str
    is_translated: bool

    @property
    def length_s(self) -> float:
        """How long it sounds."""
        return len(self.samples) / RATE_HZ


@dataclass(slots=True)
class Target:
    """Tokens for the decoder, what it has to predict at each, and when what it predicts is heard."""

    tokens: list[int] = field(default_factory=list)
    predicted: list[int] = field(default_factory=list)
    heard_s: list[tuple[float, float] | None] = field(default_factory=list)

    def add(self, token: int, predicted: int = IGNORED, heard_s: tuple[float, float] | None = None) -> None:
        """Append one position."""
        self.tokens.append(token)
        self.predicted.append(predicted)
        self.heard_s.append(heard_s)


def make_window(rng: random.Random, spoken: dict[str, Sequence[Utterance]], *, most: int, longest_s: float) -> Window:
    """Return a window of up to ``most`` utterances in one language; now and then of none, or cut at both ends."""
    if rng.random() < 0.06:
        noise = np.zeros(round(rng.uniform(0.3, longest_s) * RATE_HZ), np.float32)
        return Window(_with_noise(rng, noise), (), rng.choice(sorted(spoken)), is_translated=False)
    language = "de" if rng.random() < 0.22 else "en"
    is_translated = rng.random() < (0.5 if language == "de" else 0.04)
    parts, words, at = [], [], 0
    for i in range(rng.randint(1, most)):
        said, speed = rng.choice(spoken[language]), rng.uniform(*_SPEED)
        sound = _faster(said.samples, speed) * np.float32(rng.uniform(*_GAIN))
        pause = np.zeros(round(_pause_s(rng, is_first=not parts) * RATE_HZ), np.float32)
        if parts and (at + len(pause) + len(sound)) / RATE_HZ > longest_s:
            break
        from_s = (at + len(pause)) / RATE_HZ
        texts = said.text.split()
        written = translation(said.text).split() if language == "de" and is_translated else texts
        words += [
            Heard(from_s + a / speed, from_s + b / speed, text, out, i)
            for (a, b), text, out in zip(said.words, texts, written, strict=True)
        ]
        parts += [pause, sound]
        at += len(pause) + len(sound)
    tail = np.zeros(round(_pause_s(rng, is_first=True) * RATE_HZ), np.float32)
    samples = np.concatenate([*parts, tail])[: round(longest_s * RATE_HZ)]
    window = Window(_with_noise(rng, samples), tuple(words), language, is_translated)
    window = _within(window, 0.0, window.length_s)
    return _cut(rng, window) if rng.random() < 0.2 else window


def make_target(rng: random.Random, tokens: Tokens, window: Window, vocabulary: Sequence[str]) -> Target:
    """Return what the decoder has to write, in a third of the cases with times, in a quarter after a prompt."""
    target = Target()
    if rng.random() < 0.25:
        prompt = [t for _ in range(rng.randint(1, 15)) for t in tokens.text(rng.choice(vocabulary))]
        for token in (tokens.previous, *prompt):
            target.add(token)
    language = tokens.language(window.language)
    target.add(tokens.start, language if window.words else tokens.no_speech)
    target.add(language)
    has_times = rng.random() < 0.33
    written = _with_times(tokens, window) if has_times else _without_times(tokens, window)
    before = tokens.translate if window.is_translated else tokens.transcribe
    if not has_times:
        target.add(before)
        before = tokens.no_timestamps
    for token, heard_s in written:
        target.add(before, token, heard_s)
        before = token
    return target


def features(windows: Sequence[Window], n_frames: int | None = None) -> torch.Tensor:
    """Return (windows, mels, frames) as faster-whisper computes them: zeros after the end of each."""
    each = [_log_mel(torch.from_numpy(window.samples)) for window in windows]
    longest = n_frames or max(mel.shape[1] for mel in each)
    longest += longest % 2
    return torch.stack([torch.nn.functional.pad(mel, (0, longest - mel.shape[1])) for mel in each])


def _without_times(tokens: Tokens, window: Window) -> list[tuple[int, tuple[float, float] | None]]:
    written = [(token, (w.start_s, w.end_s)) for w in window.words for token in tokens.text(w.written)]
    return [*written, (tokens.end_of_text, _after(window))]


def _with_times(tokens: Tokens, window: Window) -> list[tuple[int, tuple[float, float] | None]]:
    found: list[tuple[int, tuple[float, float] | None]] = []
    for i in sorted({word.utterance for word in window.words}):
        words = [word for word in window.words if word.utterance == i]
        start_s, end_s = words[0].start_s, words[-1].end_s
        found.append((tokens.timestamp(start_s), (start_s - _EDGE_S, start_s + _EDGE_S)))
        found += [(token, (w.start_s, w.end_s)) for w in words for token in tokens.text(w.written)]
        found.append((tokens.timestamp(end_s), (end_s - _EDGE_S, end_s + _EDGE_S)))
    if not found:
        found.append((tokens.timestamp(0), None))
    return [*found, (tokens.end_of_text, _after(window))]


def _after(window: Window) -> tuple[float, float] | None:
    if not window.words:
        return None
    end_s = window.words[-1].end_s
    return end_s, end_s + _END_OF_TEXT_S


def _pause_s(rng: random.Random, *, is_first: bool) -> float:
    """Return a silence: short ones are usual, because engines get what a detector of speech cut out."""
    if is_first:
        return rng.uniform(0, 0.35) if rng.random() < 0.6 else rng.uniform(0, _LEAD_S)
    return rng.uniform(0.05, _GAP_S)


def _within(window: Window, start_s: float, end_s: float) -> Window:
    """Return the words of which most lies between two times; the sound stays."""
    kept = tuple(w for w in window.words if min(w.end_s, end_s) - max(w.start_s, start_s) > (w.end_s - w.start_s) / 2)
    return Window(window.samples, kept, window.language, window.is_translated)


def _cut(rng: random.Random, window: Window) -> Window:
    """Return a part of a window that begins and ends between words, as a cut in the quietest place does."""
    edges = [word.start_s for word in window.words]
    first, last = sorted(rng.sample(range(len(edges)), 2)) if len(edges) > 2 else (0, len(edges))
    start_s = max(0.0, edges[first] + rng.uniform(-0.05, 0.03))
    end_s = window.length_s if last == len(edges) or rng.random() < 0.4 else edges[last] + rng.uniform(-0.03, 0.05)
    kept = _within(window, start_s, end_s).words
    a, b = round(start_s * RATE_HZ), round(end_s * RATE_HZ)
    words = tuple(Heard(w.start_s - start_s, w.end_s - start_s, w.said, w.written, w.utterance) for w in kept)
    return Window(window.samples[a:b], words, window.language, window.is_translated)


def _faster(samples: Samples, speed: float) -> Samples:
    """Return the sound at another speed, pitch and voice changing with it."""
    at = np.arange(0, len(samples) - 1, speed)
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


def _with_noise(rng: random.Random, samples: Samples) -> Samples:
    source = np.random.default_rng(rng.randrange(2**32))
    noise = source.standard_normal(len(samples), np.float32) * np.float32(10 ** rng.uniform(*_NOISE_LOG10))
    if rng.random() < 0.3:
        noise[1:] += np.float32(0.9) * noise[:-1]
    return np.zeros_like(samples) if not samples.any() and rng.random() < 0.3 else samples + noise


def _log_mel(samples: torch.Tensor) -> torch.Tensor:
    filters, hann = _filters()
    padded = torch.nn.functional.pad(samples, (0, _HOP))
    spectrum = torch.stft(padded, _FFT, _HOP, window=hann, return_complex=True)[:, :-1]
    mel = (filters @ spectrum.abs().square()).clamp(min=1e-10).log10()
    return (torch.maximum(mel, mel.max() - 8) + 4) / 4


@cache
def _filters() -> tuple[torch.Tensor, torch.Tensor]:
    mels = FeatureExtractor.get_mel_filters(RATE_HZ, _FFT, N_MELS)
    return torch.from_numpy(mels.astype(np.float32)), torch.hann_window(_FFT)
