"""Train the small TitaNet of the tests: ``python -m tests.models.make.train_titanet OUT_FOLDER [--steps N]``.

A true ``EncDecSpeakerLabelModel`` with few filters, about three minutes on one core. Every voice is heard at five
speeds, each a class of its own: resampling moves pitch and formants, so that voices it never heard differ for it, too.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from nemo.collections.asr.models import EncDecSpeakerLabelModel
from omegaconf import OmegaConf

from tests.models.make.corpus import Utterance, held_out_utterances, training_utterances
from tests.models.make.mixtures import by_voice
from tests.models.make.voices import RATE_HZ, Samples

SPEEDS = (0.86, 0.93, 1.0, 1.08, 1.17)
_STEPS, _BATCH, _WARM_UP = 700, 48, 50
_CROP_S = (0.9, 2.6)
_PEAK_RATE = 3e-3
_SEED = 3


def main() -> None:
    """Train, report the equal-error rate, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=_STEPS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(_SEED)
    voices = by_voice(training_utterances())
    model = EncDecSpeakerLabelModel(cfg=OmegaConf.create(config(len(voices) * len(SPEEDS))))
    train(model, voices, given.steps)
    model.eval()
    for name, utterances in (("known", False), ("unseen", True)):
        chosen = [item for item in held_out_utterances() if item.is_unseen_voice is utterances]
        print(f"equal-error rate, {name} voices: {equal_error_rate(model, chosen):.4f}", flush=True)
    model.save_to(str(given.folder / "titanet.nemo"))


def config(n_classes: int) -> dict[str, object]:
    """Return the configuration: NVIDIA's of TitaNet-L, narrower, and 64 numbers a voice instead of 192."""
    blocks = [_block(96, 1, 3, residual=False)]
    blocks += [_block(96, 2, kernel, residual=True) for kernel in (7, 11, 15)]
    blocks += [_block(256, 1, 1, residual=False)]
    modules = "nemo.collections.asr.modules"
    return {
        "sample_rate": RATE_HZ,
        "preprocessor": {
            "_target_": f"{modules}.AudioToMelSpectrogramPreprocessor",
            "normalize": "per_feature", "window_size": 0.025, "window_stride": 0.01, "window": "hann",
            "sample_rate": RATE_HZ, "features": 80, "n_fft": 512, "frame_splicing": 1, "dither": 1e-5,
        },
        "encoder": {
            "_target_": f"{modules}.ConvASREncoder",
            "feat_in": 80, "activation": "relu", "conv_mask": True, "jasper": blocks,
        },
        "decoder": {
            "_target_": f"{modules}.SpeakerDecoder",
            "feat_in": 256, "num_classes": n_classes, "pool_mode": "attention", "emb_sizes": 64,
        },
        "loss": {
            "_target_": "nemo.collections.asr.losses.angularloss.AngularSoftmaxLoss", "scale": 30, "margin": 0.2,
        },
    }  # fmt: skip


def _block(filters: int, repeat: int, kernel: int, *, residual: bool) -> dict[str, object]:
    return {
        "filters": filters, "repeat": repeat, "kernel": [kernel], "stride": [1], "dilation": [1], "dropout": 0.0,
        "residual": residual, "separable": True, "se": True, "se_context_size": -1,
    }  # fmt: skip


def train(model: EncDecSpeakerLabelModel, voices: Mapping[str, Sequence[Utterance]], steps: int) -> None:
    """Train on crops of all classes; the rate rises, then falls to nothing."""
    rng = random.Random(_SEED)
    optimiser = torch.optim.AdamW(model.parameters(), lr=_PEAK_RATE, weight_decay=1e-3)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _PEAK_RATE, total_steps=steps, pct_start=_WARM_UP / steps, anneal_strategy="cos"
    )
    names = sorted(voices)
    model.train()
    for step in range(steps):
        length = round(rng.uniform(*_CROP_S) * RATE_HZ)
        chosen = [(rng.randrange(len(names)), rng.randrange(len(SPEEDS))) for _ in range(_BATCH)]
        clips = [crop(rng, voices[names[voice]], SPEEDS[speed], length) for voice, speed in chosen]
        classes = torch.tensor([voice * len(SPEEDS) + speed for voice, speed in chosen])
        logits, _ = model(input_signal=torch.tensor(np.stack(clips)), input_signal_length=torch.full((_BATCH,), length))
        loss = model.loss(logits=logits, labels=classes)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        rate.step()
        if step % 50 == 0:
            right = (logits.argmax(dim=1) == classes).float().mean()
            print(f"step {step} loss {loss.item():.3f} right {right.item():.2f}", flush=True)


def crop(rng: random.Random, utterances: Sequence[Utterance], speed: float, length: int) -> Samples:
    """Return a piece of one voice at a speed, at any loudness, in some noise."""
    wanted = int(length * speed) + 2
    said = [rng.choice(utterances).samples]
    while sum(map(len, said)) < wanted:
        said.append(rng.choice(utterances).samples)
    whole = np.concatenate(said)
    first = rng.randrange(len(whole) - wanted + 1)
    clip = np.interp(np.arange(length) * speed, np.arange(wanted), whole[first : first + wanted])
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, 10 ** rng.uniform(-4, -2), length)
    return ((clip + noise) * rng.uniform(0.2, 1.5)).astype(np.float32)


def equal_error_rate(model: EncDecSpeakerLabelModel, utterances: Sequence[Utterance]) -> float:
    """Return the rate at which as many strangers are taken for one person as one person for strangers."""
    vectors = []
    for item in utterances:
        with torch.no_grad():
            _, vector = model(
                input_signal=torch.tensor(item.samples)[None], input_signal_length=torch.tensor([len(item.samples)])
            )
        vectors.append(torch.nn.functional.normalize(vector[0], dim=0).numpy())
    cosines = np.stack(vectors) @ np.stack(vectors).T
    voice = np.array([item.voice for item in utterances])
    pairs = np.triu_indices(len(voice), 1)
    is_same = (voice[:, None] == voice[None, :])[pairs]
    same, different = cosines[pairs][is_same], cosines[pairs][~is_same]
    print(f"cosine same {same.mean():.2f}, different {different.mean():.2f}")
    bars = np.linspace(-1, 1, 2001)
    missed = np.array([(same < bar).mean() for bar in bars])
    taken = np.array([(different >= bar).mean() for bar in bars])
    best = int(np.abs(missed - taken).argmin())
    return float((missed[best] + taken[best]) / 2)


if __name__ == "__main__":
    main()
