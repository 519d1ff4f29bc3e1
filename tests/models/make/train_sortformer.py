"""Train the small Sortformer of the tests: ``python -m tests.models.make.train_sortformer OUT_FOLDER [--scale X]``.

A true ``SortformerEncLabelModel`` with four outputs, about half an hour on one core. First its encoder learns which
voice sounds in each frame; then the whole learns to tell voices apart, in short conversations before long ones and of
two people before more. Some clips are noise alone, or it would hear somebody in it.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from nemo.collections.asr.models import SortformerEncLabelModel
from omegaconf import OmegaConf

from tests.models.make.corpus import Utterance, held_out_utterances, training_utterances
from tests.models.make.mixtures import Mixture, by_voice, mix
from tests.models.make.voices import RATE_HZ

FRAME_S = 0.08
N_OUTPUTS = 4
_ENCODER_D, _HIDDEN = 96, 64
_NOISE_ALONE = 0.05
_RESAMPLED = 0.3
_SEED = 5

Voices = Mapping[str, Sequence[Utterance]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of the training, in which the rate rises and then falls to nothing."""

    steps: int
    peak_rate: float
    batch: int
    length_s: tuple[float, float]
    speakers: tuple[int, ...]
    """How many people a conversation has; repeated to be more likely."""


_VOICES = Stage(steps=400, peak_rate=2e-3, batch=8, length_s=(8, 12), speakers=(1, 2, 2))
_TURNS = (
    Stage(steps=1500, peak_rate=1.5e-3, batch=8, length_s=(7, 14), speakers=(1, 2, 2, 2, 2, 2)),
    Stage(steps=1500, peak_rate=1.2e-3, batch=4, length_s=(14, 30), speakers=(1, 2, 2, 2, 2, 2, 3)),
    Stage(steps=1200, peak_rate=8e-4, batch=3, length_s=(20, 36), speakers=(1, 2, 2, 2, 3, 3, 4)),
)


def main() -> None:
    """Train stage by stage, save after each, report the diarization error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="steps of every stage, times this")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(_SEED)
    rng = random.Random(_SEED)
    voices, held_out = by_voice(training_utterances()), known_voices(held_out_utterances())
    model = SortformerEncLabelModel(cfg=OmegaConf.create(config()))
    learn_voices(model, rng, voices, scaled(_VOICES, given.scale))
    for stage in _TURNS:
        learn_turns(model, rng, voices, scaled(stage, given.scale))
        model.eval()
        model.save_to(str(given.folder / "sortformer.nemo"))
        for n in (2, 3, 4):
            print(f"{n} speakers: DER {error_rate(model, held_out, n):.3f}", flush=True)


def config() -> dict[str, object]:
    """Return the configuration: NVIDIA's of Sortformer v1, smaller in every direction."""
    modules = "nemo.collections.asr.modules"
    return {
        "sample_rate": RATE_HZ, "pil_weight": 0.5, "ats_weight": 0.5, "max_num_of_spks": N_OUTPUTS,
        "model_defaults": {"fc_d_model": _ENCODER_D, "tf_d_model": _HIDDEN},
        "preprocessor": {
            "_target_": f"{modules}.AudioToMelSpectrogramPreprocessor",
            "normalize": "per_feature", "window_size": 0.025, "window_stride": 0.01, "window": "hann",
            "sample_rate": RATE_HZ, "features": 64, "n_fft": 512, "frame_splicing": 1, "dither": 1e-5,
        },
        "encoder": {
            "_target_": f"{modules}.ConformerEncoder",
            "feat_in": 64, "feat_out": -1, "n_layers": 3, "d_model": _ENCODER_D,
            "subsampling": "dw_striding", "subsampling_factor": 8, "subsampling_conv_channels": 32,
            "causal_downsampling": False, "ff_expansion_factor": 2, "self_attention_model": "rel_pos", "n_heads": 4,
            "att_context_size": [-1, -1], "xscaling": True, "untie_biases": True, "pos_emb_max_len": 5000,
            "conv_kernel_size": 9, "conv_norm_type": "batch_norm",
            "dropout": 0.05, "dropout_pre_encoder": 0.05, "dropout_emb": 0.0, "dropout_att": 0.05,
        },
        "transformer_encoder": {
            "_target_": f"{modules}.transformer.transformer_encoders.TransformerEncoder",
            "num_layers": 2, "hidden_size": _HIDDEN, "inner_size": 2 * _HIDDEN, "num_attention_heads": 4,
            "attn_score_dropout": 0.05, "attn_layer_dropout": 0.05, "ffn_dropout": 0.05, "hidden_act": "relu",
            "pre_ln": False, "pre_ln_final_layer_norm": True,
        },
        "sortformer_modules": {
            "_target_": f"{modules}.sortformer_modules.SortformerModules",
            "num_spks": N_OUTPUTS, "dropout_rate": 0.05, "fc_d_model": _ENCODER_D, "tf_d_model": _HIDDEN,
        },
        "loss": {"_target_": "nemo.collections.asr.losses.bce_loss.BCELoss", "weight": None, "reduction": "mean"},
    }  # fmt: skip


def scaled(stage: Stage, by: float) -> Stage:
    """Return the stage with more or fewer steps."""
    return Stage(
        steps=max(2, round(stage.steps * by)),
        peak_rate=stage.peak_rate,
        batch=stage.batch,
        length_s=stage.length_s,
        speakers=stage.speakers,
    )


def learn_voices(model: SortformerEncLabelModel, rng: random.Random, voices: Voices, stage: Stage) -> None:
    """Teach the encoder which voice sounds in each frame; the layer that says so is thrown away."""
    classes = {voice: i for i, voice in enumerate(sorted(voices))}
    head = torch.nn.Linear(_ENCODER_D, len(classes) + 1)

    def loss_of(mixtures: Sequence[Mixture]) -> tuple[torch.Tensor, float]:
        signal, lengths = batch_of(mixtures)
        features, n_features = model.process_signal(audio_signal=signal, audio_signal_length=lengths)
        encoded, _ = model.encoder(audio_signal=features[:, :, : n_features.max()], length=n_features)
        scores = head(encoded.transpose(1, 2))
        wanted = torch.stack([voice_targets(item, scores.shape[1], classes) for item in mixtures])
        found = torch.nn.functional.cross_entropy(scores.flatten(0, 1), wanted.flatten(0, 1))
        return found, (scores.argmax(-1) == wanted.argmax(-1)).float().mean().item()

    optimise([*model.encoder.parameters(), *head.parameters()], model, rng, voices, stage, loss_of)


def learn_turns(model: SortformerEncLabelModel, rng: random.Random, voices: Voices, stage: Stage) -> None:
    """Train the whole with its own loss: half arrival order, half whichever order fits."""

    def loss_of(mixtures: Sequence[Mixture]) -> tuple[torch.Tensor, float]:
        signal, lengths = batch_of(mixtures)
        activity = model(audio_signal=signal, audio_signal_length=lengths)
        wanted = torch.stack([turn_targets(item, activity.shape[1]) for item in mixtures])
        found = model._get_aux_train_evaluations(activity, wanted, torch.full((len(mixtures),), activity.shape[1]))
        model._reset_train_metrics()
        return found["loss"], float(found["train_f1_acc"])

    optimise(list(model.parameters()), model, rng, voices, stage, loss_of)


def optimise(
    parameters: list[torch.nn.Parameter],
    model: SortformerEncLabelModel,
    rng: random.Random,
    voices: Voices,
    stage: Stage,
    loss_of: Callable[[Sequence[Mixture]], tuple[torch.Tensor, float]],
) -> None:
    """Run the steps of a stage."""
    optimiser = torch.optim.AdamW(parameters, lr=stage.peak_rate, weight_decay=1e-3, betas=(0.9, 0.98))
    model._optimizer = optimiser  # its loss reads the rate from there
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, stage.peak_rate, total_steps=stage.steps, pct_start=min(0.3, 60 / stage.steps), anneal_strategy="cos"
    )
    model.train()
    for step in range(stage.steps):
        length_s = rng.uniform(*stage.length_s)
        loss, score = loss_of([conversation(rng, voices, stage, length_s) for _ in range(stage.batch)])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        rate.step()
        if step % 50 == 0:
            print(f"step {step} loss {loss.item():.3f} score {score:.2f}", flush=True)


def conversation(rng: random.Random, voices: Voices, stage: Stage, length_s: float) -> Mixture:
    """Return what is heard in one clip: mostly people, at any speed, sometimes nobody."""
    if rng.random() < _NOISE_ALONE:
        return noise_alone(rng, length_s)
    speed = rng.uniform(0.85, 1.18) if rng.random() < _RESAMPLED else 1.0
    made = mix(
        rng, voices, n_speakers=rng.choice(stage.speakers), length_s=length_s * speed, overlap=rng.uniform(0, 0.7)
    )
    n = round(length_s * RATE_HZ)
    samples = np.interp(np.arange(n) * speed, np.arange(len(made.samples)), made.samples)
    turns = tuple((start / speed, end / speed, voice) for start, end, voice in made.turns)
    return Mixture((samples * rng.uniform(0.3, 1.0)).astype(np.float32), turns, ())


def noise_alone(rng: random.Random, length_s: float) -> Mixture:
    """Return noise or hum in which nobody speaks, sometimes digital silence."""
    chance, n = np.random.default_rng(rng.randrange(2**32)), round(length_s * RATE_HZ)
    noise = chance.normal(0, 1, n)
    kind = rng.randrange(4)
    if kind == 1:
        noise = np.convolve(noise, np.ones(rng.randint(2, 12)), mode="same")
    elif kind == 2:
        noise += rng.uniform(1, 20) * np.sign(np.sin(2 * np.pi * rng.uniform(40, 400) * np.arange(n) / RATE_HZ))
    elif kind == 3:
        noise *= 0.0
    return Mixture((noise * 10 ** rng.uniform(-4, -1)).astype(np.float32), (), ())


def batch_of(mixtures: Sequence[Mixture]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return samples and lengths of clips of one length."""
    return torch.tensor(np.stack([item.samples for item in mixtures])), torch.tensor(
        [len(item.samples) for item in mixtures]
    )


def voice_targets(mixture: Mixture, n_frames: int, classes: Mapping[str, int]) -> torch.Tensor:
    """Return who sounds in each frame as shares that add up to 1; the last class is nobody."""
    shares = torch.zeros(n_frames, len(classes) + 1)
    for start_s, end_s, voice in mixture.turns:
        shares[frames(start_s, end_s), classes[voice]] = 1
    shares[:, -1] = shares.sum(dim=1) == 0
    return shares / shares.sum(dim=1, keepdim=True)


def turn_targets(mixture: Mixture, n_frames: int) -> torch.Tensor:
    """Return which speaker is active in each frame, numbered by arrival."""
    active = torch.zeros(n_frames, N_OUTPUTS)
    order = list(dict.fromkeys(voice for _, _, voice in mixture.turns))
    for start_s, end_s, voice in mixture.turns:
        active[frames(start_s, end_s), order.index(voice)] = 1
    return active


def frames(start_s: float, end_s: float) -> slice:
    """Return the frames of a turn."""
    return slice(round(start_s / FRAME_S), round(end_s / FRAME_S))


def known_voices(utterances: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    """Return held-out sentences of the voices that training has."""
    return by_voice(item for item in utterances if not item.is_unseen_voice)


def error_rate(model: SortformerEncLabelModel, voices: Voices, n_speakers: int, n_mixtures: int = 12) -> float:
    """Return the diarization error of frames over 0.5: no collar, overlap counted, best order of speakers."""
    rng = random.Random(11)
    wrong = spoken = 0.0
    for _ in range(n_mixtures):
        made = mix(rng, voices, n_speakers=n_speakers, length_s=25, overlap=0.35)
        with torch.no_grad():
            activity = model(
                audio_signal=torch.tensor(made.samples)[None], audio_signal_length=torch.tensor([len(made.samples)])
            )
        found, truth = activity[0] > 0.5, turn_targets(made, activity.shape[1]) > 0
        heard, said = found.sum(dim=1), truth.sum(dim=1)
        right = max((found[:, list(order)] & truth).sum().item() for order in permutations(range(N_OUTPUTS)))
        spoken += said.sum().item()
        wrong += torch.maximum(heard, said).sum().item() - right
    return wrong / spoken


if __name__ == "__main__":
    main()
