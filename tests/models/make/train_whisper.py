"""Train a Whisper small enough to keep beside the tests: ``python -m tests.models.make.train_whisper OUT_FOLDER``.

It hears the synthetic voices in English and German, writes what they say with times, and translates German. Training
takes half an hour on one core. ``--steps N`` stops after so many steps, to try the script.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from ctranslate2.converters import TransformersConverter
from torch import nn
from transformers import WhisperForConditionalGeneration

from tests.models.make.corpus import Utterance, training_utterances
from tests.models.make.german import DICTIONARY, training_german
from tests.models.make.sentences import VOCABULARY
from tests.models.make.voices import VOICES
from tests.models.make.whisper_model import ALIGNMENT_HEAD, WIDTH, loss, make_batch, make_model
from tests.models.make.whisper_tokens import LANGUAGES, Tokens, make_tokens
from tests.models.make.whisper_windows import FRAMES_HZ, N_MELS, features, make_target, make_window

_SEED = 23
_FULL_S = 30.0
_WARM_UP = 200
_BETAS, _DECAY, _LARGEST_GRADIENT = (0.9, 0.98), 0.01, 1.0
_HUMAN_VOICES = VOICES[:4]
"""flite's; they are harder than espeak-ng's, and heard twice as often."""
_REPORT_STEPS, _KEEP_STEPS = 50, 400


@dataclass(frozen=True, slots=True)
class Windows:
    """A kind of batch."""

    count: int
    most: int
    """Utterances in one window."""
    longest_s: float
    is_full: bool = False
    """Whether windows are padded to the 30 s that the model gets in use."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Some steps of training; kinds of batches are taken in turn."""

    steps: int
    first_rate: float
    last_rate: float
    kinds: tuple[Windows, ...]


_SHORT, _MIDDLE = Windows(12, 1, 6.5), Windows(8, 3, 11.0)
STAGES = (
    Stage(2400, 2e-3, 1.5e-3, (_SHORT,)),
    Stage(1300, 1.5e-3, 9e-4, (_MIDDLE, _MIDDLE, Windows(4, 2, 8.0, is_full=True))),
    Stage(
        1400, 1.1e-3, 2e-5,
        (Windows(6, 4, 15.0), Windows(4, 3, 12.0, is_full=True), _MIDDLE, Windows(3, 9, _FULL_S, is_full=True)),
    ),
)  # fmt: skip
"""From single sentences to windows of 30 s: a model that meets those first does not find its way."""


def main() -> None:
    """Train and write the folder ``whisper`` that faster-whisper loads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=sum(stage.steps for stage in STAGES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(_SEED)
    tokens = make_tokens([*VOCABULARY, *DICTIONARY])
    model = make_model(tokens)
    for step in train(model, tokens, arguments.steps):
        if step % _KEEP_STEPS == 0 or step == arguments.steps:
            convert(model, tokens, arguments.folder / "whisper")


def train(model: WhisperForConditionalGeneration, tokens: Tokens, steps: int) -> Iterator[int]:
    """Train the model, yielding the steps done."""
    spoken, rng, words = _spoken(), random.Random(_SEED), sorted({*VOCABULARY, *DICTIONARY})
    listener = nn.Linear(WIDTH, len(words) + 1)
    optimizer = _optimizer(model, listener)
    began, rights = time.monotonic(), []
    for step, (rate, kind) in enumerate(_schedule(steps), 1):
        windows = [make_window(rng, spoken, most=kind.most, longest_s=kind.longest_s) for _ in range(kind.count)]
        targets = [make_target(rng, tokens, window, VOCABULARY) for window in windows]
        mels = features(windows, round(_FULL_S * FRAMES_HZ) if kind.is_full else None)
        lost, right = loss(model, listener, make_batch(windows, mels, targets, words))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        lost.backward()
        nn.utils.clip_grad_norm_(model.parameters(), _LARGEST_GRADIENT)
        optimizer.step()
        rights.append(right)
        if step % _REPORT_STEPS == 0:
            mean = sum(rights[-_REPORT_STEPS:]) / _REPORT_STEPS
            print(f"{step} rate {rate:.1e} right {mean:.3f} {time.monotonic() - began:.0f} s", flush=True)
        yield step


def convert(model: WhisperForConditionalGeneration, tokens: Tokens, folder: Path) -> None:
    """Write the model as CTranslate2 reads it, with 8-bit weights."""
    with tempfile.TemporaryDirectory() as made:
        _write(model, tokens, Path(made))
        copied = ["tokenizer.json", "preprocessor_config.json"]
        TransformersConverter(made, copy_files=copied).convert(str(folder), quantization="int8", force=True)
    _complete(folder / "config.json", tokens)


def _complete(path: Path, tokens: Tokens) -> None:
    """Say what the converter cannot know, as transformers forgets on loading what it has no name for."""
    known = {"alignment_heads": [ALIGNMENT_HEAD], "lang_ids": sorted(map(tokens.language, LANGUAGES))}
    path.write_text(json.dumps({**json.loads(path.read_text()), **known}, indent=1) + "\n")


def _write(model: WhisperForConditionalGeneration, tokens: Tokens, folder: Path) -> None:
    """Write what transformers would find of a model on the hub."""
    settings = model.generation_config
    settings.suppress_tokens = []
    settings.begin_suppress_tokens = [tokens.tokenizer.token_to_id("Ġ")]
    model.save_pretrained(folder)
    tokens.tokenizer.save(str(folder / "tokenizer.json"))
    texts = {
        "tokenizer_config.json": {"tokenizer_class": "WhisperTokenizer"},
        "preprocessor_config.json": {
            "feature_size": N_MELS, "sampling_rate": 16_000, "hop_length": 160, "chunk_length": 30, "n_fft": 400,
        },
    }  # fmt: skip
    for name, content in texts.items():
        (folder / name).write_text(json.dumps(content))


def _spoken() -> dict[str, Sequence[Utterance]]:
    english = training_utterances()
    return {"en": [*english, *(u for u in english if u.voice in _HUMAN_VOICES)], "de": training_german()}


def _optimizer(model: nn.Module, listener: nn.Module) -> torch.optim.AdamW:
    weights = [*model.parameters(), *listener.parameters()]
    learnt = [weight for weight in weights if weight.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [weight for weight in learnt if weight.ndim > 1], "weight_decay": _DECAY},
            {"params": [weight for weight in learnt if weight.ndim == 1], "weight_decay": 0.0},
        ],
        betas=_BETAS,
    )


def _schedule(steps: int) -> Iterator[tuple[float, Windows]]:
    """Yield learning rate and kind of batch of each step."""
    done = 0
    for stage in STAGES:
        for i in range(stage.steps):
            if done == steps:
                return
            done += 1
            rate = stage.first_rate * (stage.last_rate / stage.first_rate) ** (i / stage.steps)
            yield rate * min(1.0, done / _WARM_UP), stage.kinds[i % len(stage.kinds)]


if __name__ == "__main__":
    main()
