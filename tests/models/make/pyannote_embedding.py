"""Train a small ``XVectorMFCC`` to tell voices apart, and fit the PLDA model that VBx clusters its vectors with.

The width of the class is fixed at 512 to 1500 channels. A narrow twin of the same layers is trained and then laid into
the wide one, whose other channels stay zero; they cost time when it is used, and nothing on the disk.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import XVectorMFCC
from pyannote.audio.utils.vbx import vbx_setup
from scipy.linalg import eigh
from torch import nn
from torch.nn import functional

from tests.models.make.corpus import Utterance
from tests.models.make.voices import RATE_HZ, Samples

DIM = 64
_WIDTHS = (40, 96, 96, 96, 96, 192)
_FEATURES = {"n_mfcc": 40, "log_mels": True, "melkwargs": {"n_fft": 1024, "hop_length": 512, "n_mels": 64}}
_SPEEDS = (0.86, 0.93, 1.0, 1.08, 1.17)
"""Each voice is five: sped up, its pitch and formants become another person's."""
_BATCH, _PEAK_RATE, _WARM_UP = 64, 3e-3, 40
_SCALE, _MARGIN = 30.0, 0.2
_CROP_S = (1.0, 3.0)
_BEHIND = 0.3
"""How often somebody else is heard softly in the background."""

Voices = Mapping[str, Sequence[Utterance]]


def trained(utterances_by_voice: Voices, n_steps: int, seed: int = 2) -> Any:
    """Return a model of true width; prints the loss and the share of voices that are named right."""
    rng, narrow = random.Random(seed), _narrow_model()
    named = [(voice, speed) for voice in sorted(utterances_by_voice) for speed in _SPEEDS]
    directions = nn.Parameter(torch.randn(len(named), DIM))
    parameters = [*narrow.parameters(), directions]
    optimizer = torch.optim.AdamW(parameters, lr=_PEAK_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _PEAK_RATE, total_steps=n_steps, pct_start=min(0.5, _WARM_UP / n_steps), anneal_strategy="cos"
    )
    narrow.train()
    shown: list[tuple[float, float]] = []
    for step in range(n_steps):
        wanted = [rng.randrange(len(named)) for _ in range(_BATCH)]
        length = round(rng.uniform(*_CROP_S) * RATE_HZ)
        crops = np.stack([_crop(rng, utterances_by_voice, *named[which], length) for which in wanted])
        loss, right = _loss(narrow(torch.from_numpy(crops)[:, None]), directions, torch.tensor(wanted))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        shown.append((loss.item(), right))
        if step % 50 == 49:
            print(f"embedding {step + 1}: loss and right {np.mean(shown[-50:], axis=0).round(3)}", flush=True)
    return _widened(narrow.eval())


def fit_plda(model: Any, utterances_by_voice: Voices, folder: Path, n_per_voice: int = 30, seed: int = 3) -> None:
    """Write what ``pyannote.audio`` reads as a PLDA model: how vectors of one voice vary, and how voices differ."""
    rng = random.Random(seed)
    named = [(voice, speed) for voice in sorted(utterances_by_voice) for speed in _SPEEDS]
    rows, labels = [], []
    for label, (voice, speed) in enumerate(named):
        crops = [_crop(rng, utterances_by_voice, voice, speed, 2 * RATE_HZ) for _ in range(n_per_voice)]
        with torch.inference_mode():
            rows.append(model(torch.from_numpy(np.stack(crops))[:, None]).numpy().astype(np.float64))
        labels += [label] * n_per_voice
    vectors, voices = np.concatenate(rows), np.array(labels)
    folder.mkdir(parents=True, exist_ok=True)
    first, second = folder / "xvec_transform.npz", folder / "plda.npz"
    # Length normalisation alone; the projection keeps every direction, so that only the PLDA model is fitted.
    np.savez(first, mean1=vectors.mean(0), lda=np.eye(DIM), mean2=np.zeros(DIM))
    np.savez(second, mu=np.zeros(DIM), tr=np.eye(DIM), psi=np.ones(DIM))
    projected = vbx_setup(first, second)[0](vectors)
    within, between = _covariances(projected, voices)
    psi, directions = eigh(between, within)
    np.savez(second, mu=projected.mean(0), tr=directions.T[::-1], psi=np.maximum(psi[::-1], 1e-6))


def _covariances(vectors: np.ndarray, voices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    means = np.stack([vectors[voices == voice].mean(0) for voice in np.unique(voices)])
    residues = vectors - means[voices]
    ridge = 1e-3 * np.eye(vectors.shape[1])
    return residues.T @ residues / len(vectors) + ridge, np.cov(means.T) + ridge


def _narrow_model() -> Any:
    model = XVectorMFCC(mfcc=_FEATURES, dimension=DIM)
    model.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=_CROP_S[1], min_duration=_CROP_S[0]
    )
    for layer, (n_in, n_out) in enumerate(pairwise(_WIDTHS)):
        wide = model.tdnns[3 * layer]
        model.tdnns[3 * layer] = nn.Conv1d(n_in, n_out, wide.kernel_size[0], dilation=wide.dilation[0])
        model.tdnns[3 * layer + 2] = nn.BatchNorm1d(n_out)
    model.embedding = nn.Linear(2 * _WIDTHS[-1], DIM)
    return model


def _widened(narrow: Any) -> Any:
    """Return the class as it is, with the narrow weights in the first channels of each layer."""
    wide = XVectorMFCC(**narrow.hparams)
    wide.specifications = narrow.specifications
    given = narrow.state_dict()
    # Means and deviations of the last layer are one row after the other.
    half, width = _WIDTHS[-1], wide.embedding.in_features // 2
    given["embedding.weight"] = functional.pad(given["embedding.weight"].reshape(DIM, 2, half), (0, width - half))
    given["embedding.weight"] = given["embedding.weight"].reshape(DIM, 2 * width)
    with torch.no_grad():
        for name, value in wide.state_dict().items():
            if name.startswith(("tdnns", "embedding")) and "running_var" not in name:
                value.zero_()
            value[tuple(slice(size) for size in given[name].shape)] = given[name]
    return wide.eval()


def _loss(vectors: torch.Tensor, directions: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return the additive angular margin loss, and the share of vectors whose nearest direction is theirs."""
    cosines = functional.normalize(vectors) @ functional.normalize(directions).T
    angles = torch.acos(cosines.clamp(-1 + 1e-6, 1 - 1e-6))
    margins = functional.one_hot(wanted, len(directions)) * _MARGIN
    loss = functional.cross_entropy(_SCALE * torch.cos(angles + margins), wanted)
    return loss, (cosines.argmax(-1) == wanted).float().mean().item()


def _crop(rng: random.Random, utterances_by_voice: Voices, voice: str, speed: float, length: int) -> Samples:
    samples = _piece(rng, rng.choice(utterances_by_voice[voice]).samples, speed, length)
    if rng.random() < _BEHIND:
        other = rng.choice(sorted(set(utterances_by_voice) - {voice}))
        samples = samples + rng.uniform(0.02, 0.3) * _piece(
            rng, rng.choice(utterances_by_voice[other]).samples, 1.0, length
        )
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, 10 ** rng.uniform(-4, -2.3), length)
    return (samples * rng.uniform(0.2, 1.3) + noise).astype(np.float32)


def _piece(rng: random.Random, samples: Samples, speed: float, length: int) -> np.ndarray:
    """Return so many samples from anywhere in an utterance, said again where it is shorter."""
    needed = round(length * speed) + 2
    whole = np.tile(samples, -(-needed // len(samples)))
    start = rng.randrange(len(whole) - needed + 1)
    return np.interp(np.arange(length) * speed, np.arange(needed), whole[start : start + needed])
