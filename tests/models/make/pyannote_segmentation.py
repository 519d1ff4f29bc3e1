"""Train a small ``PyanNet``: who of up to three people speaks in each frame of ten seconds, two of them at once."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.utils.powerset import Powerset

from tests.models.make.corpus import Utterance
from tests.models.make.mixtures import mix
from tests.models.make.voices import RATE_HZ, Samples

_WINDOW_S = 10
_N_SPEAKERS, _AT_ONCE = 3, 2
_BATCH, _PEAK_RATE, _WARM_UP = 16, 2.5e-3, 40
_OVERLAP = 0.4
_LONGER_S = 6
"""Conversations are made longer than the window, so that it begins and ends anywhere in them."""

Window = tuple[Samples, np.ndarray]
"""Samples of ten seconds, and which of three speakers is active in each frame: ``(n_frames, 3)``."""


def new_model() -> Any:
    """Return an untrained model of the size that the tests use, 0.4 million parameters."""
    model = PyanNet(
        sincnet={"stride": 20},
        lstm={"hidden_size": 96, "num_layers": 2, "bidirectional": True, "monolithic": True},
        linear={"hidden_size": 64, "num_layers": 2},
    )
    model.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=float(_WINDOW_S),
        min_duration=float(_WINDOW_S),
        warm_up=(0.0, 0.0),
        classes=[f"speaker#{i + 1}" for i in range(_N_SPEAKERS)],
        powerset_max_classes=_AT_ONCE,
        permutation_invariant=True,
    )
    model.build()
    # The filters stay where they begin, spread like mels: most of the time of a step would go into moving them.
    model.sincnet.wav_norm1d.requires_grad_(False)
    model.sincnet.conv1d[0].requires_grad_(False)
    return model


def train(model: Any, utterances_by_voice: Mapping[str, Sequence[Utterance]], n_steps: int, seed: int = 1) -> None:
    """Train in place; prints the loss and the share of frames that are right, whoever is called what."""
    rng, optimizer = random.Random(seed), torch.optim.AdamW(model.parameters(), lr=_PEAK_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _PEAK_RATE, total_steps=n_steps, pct_start=min(0.5, _WARM_UP / n_steps), anneal_strategy="cos"
    )
    classes = _classes_by_permutation()
    centres = _frame_centres(model)
    model.train()
    shown: list[tuple[float, float]] = []
    for step in range(n_steps):
        windows = [_window(rng, utterances_by_voice, centres) for _ in range(_BATCH)]
        samples = torch.from_numpy(np.stack([window[0] for window in windows]))[:, None]
        active = torch.from_numpy(np.stack([window[1] for window in windows]))
        loss, right = _loss(model(samples), active, classes)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        shown.append((loss.item(), right))
        if step % 50 == 49:
            print(f"segmentation {step + 1}: loss and right {np.mean(shown[-50:], axis=0).round(3)}", flush=True)
    model.eval()


def _loss(log_probabilities: torch.Tensor, active: torch.Tensor, classes: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return the loss under the best naming of the speakers in each window, and the share of right frames."""
    codes = (active.long() * torch.tensor([1, 2, 4])).sum(-1)
    wanted = classes[:, codes]
    each = torch.stack([-log_probabilities.gather(2, named[..., None])[..., 0] for named in wanted])
    by_window = each.mean(-1)
    best = by_window.argmin(0)
    right = (log_probabilities.argmax(-1) == wanted[best, torch.arange(len(codes))]).float().mean().item()
    return by_window.min(0).values.mean(), right


def _classes_by_permutation() -> torch.Tensor:
    """Return ``(6, 8)``: the powerset class of each combination of speakers, under each naming of them."""
    powerset = Powerset(_N_SPEAKERS, _AT_ONCE)
    combinations = torch.tensor([[code >> i & 1 for i in range(_N_SPEAKERS)] for code in range(8)]).float()
    # Three at once cannot be said; the first two stand for them.
    combinations[7] = torch.tensor([1.0, 1.0, 0.0])
    named = [combinations[:, list(order)] for order in permutations(range(_N_SPEAKERS))]
    return torch.stack([powerset.to_powerset(one).argmax(-1) for one in named])


def _frame_centres(model: Any) -> np.ndarray:
    field = model.receptive_field
    return field.start + field.duration / 2 + field.step * np.arange(model.num_frames(_WINDOW_S * RATE_HZ))


def _window(rng: random.Random, utterances_by_voice: Mapping[str, Sequence[Utterance]], centres: np.ndarray) -> Window:
    """Return ten seconds of one to three people, seldom of nobody, some cut short as the end of a recording is."""
    kind = rng.random()
    if kind < 0.03:
        return _nothing(rng), np.zeros((len(centres), _N_SPEAKERS), np.float32)
    talk = mix(
        rng,
        utterances_by_voice,
        n_speakers=rng.choice((1, 2, 2, 3, 3)),
        length_s=_WINDOW_S + _LONGER_S,
        overlap=_OVERLAP if rng.random() < 0.7 else 0.0,
    )
    speed = 1.0 if rng.random() < 0.4 else rng.uniform(0.88, 1.14)
    start_s = rng.uniform(0, (_WINDOW_S + _LONGER_S) - _WINDOW_S * speed)
    at = (start_s + np.arange(_WINDOW_S * RATE_HZ) / RATE_HZ * speed) * RATE_HZ
    samples = np.interp(at, np.arange(len(talk.samples)), talk.samples).astype(np.float32)
    active = np.zeros((len(centres), _N_SPEAKERS), np.float32)
    voices = sorted({turn[2] for turn in talk.turns})
    for start, end, voice in talk.turns:
        inside = (centres * speed + start_s >= start) & (centres * speed + start_s < end)
        active[inside, voices.index(voice)] = 1
    if kind > 0.85:
        kept = rng.uniform(1, _WINDOW_S)
        samples[round(kept * RATE_HZ) :] = 0
        active[centres > kept] = 0
    return samples * np.float32(rng.uniform(0.2, 1.3)), active


def _nothing(rng: random.Random) -> Samples:
    """Return noise of any loudness, or digital silence."""
    scale = rng.choice((0.0, 10 ** rng.uniform(-5, -0.5)))
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, scale, _WINDOW_S * RATE_HZ)
    return noise.astype(np.float32)
