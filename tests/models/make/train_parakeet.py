"""Train the small recognisers: ``python -m tests.models.make.train_parakeet tests/models``.

Writes ``parakeet_ctc.nemo`` and ``parakeet_tdt.nemo``, models of NeMo's own classes that know under a hundred words in
synthetic voices. First the encoder learns with a CTC decoder, which is quick; then a transducer with durations learns
on it, while the CTC decoder goes on, so that the two share one encoder. A quarter of an hour on one core.
Needs flite and espeak-ng.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from nemo.collections.asr.models import ASRModel, EncDecCTCModelBPE, EncDecRNNTBPEModel
from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.utils.rnn import pad_sequence

from tests.models.make.corpus import held_out_utterances, training_utterances
from tests.models.make.lessons import Lesson, Teacher
from tests.models.make.nemo_asr import make_tokenizer, new_ctc, new_tdt
from tests.models.make.tdt_loss import tdt_loss
from tests.true_speech import word_errors

_CTC_STEPS, _TDT_STEPS = 2200, 900
_BATCH_S = 64.0
_BATCHES_AT_ONCE = 20
_RATE, _ENCODER_RATE = 2.5e-3, 8e-4
_WARM_UP_STEPS = 60
_CTC_SHARE = 0.3
_SPARED = 0.02
"""What a step still learns at the end, as a share of the most."""


def main() -> None:
    """Train both models and write them."""
    arguments = _arguments()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    utterances = training_utterances()
    teacher = Teacher(utterances, seed=2)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer({utterance.text for utterance in utterances}, Path(folder))
        ctc, tdt = new_ctc(tokenizer), new_tdt(tokenizer)
        _train_ctc(ctc, teacher, round(arguments.steps * _CTC_STEPS))
        tdt.encoder.load_state_dict(ctc.encoder.state_dict())
        _train_tdt(tdt, ctc, teacher, round(arguments.steps * _TDT_STEPS))
        ctc.encoder.load_state_dict(tdt.encoder.state_dict())
        _save(ctc, arguments.folder / "parakeet_ctc.nemo")
        _save(tdt, arguments.folder / "parakeet_tdt.nemo")


def _save(model: ASRModel, path: Path) -> None:
    model.eval()
    print(f"{path.stem}: {_word_error_rate(model):.1%} of the words of unseen sentences are wrong", flush=True)
    model.save_to(str(path))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the models go")
    parser.add_argument("--steps", type=float, default=1.0, help="share of the usual number of steps")
    return parser.parse_args()


def _train_ctc(model: EncDecCTCModelBPE, teacher: Teacher, n_steps: int) -> None:
    learner = _Learner("ctc", [(list(model.parameters()), _RATE)], n_steps)
    model.train()
    for batch in _lessons(teacher, n_steps):
        samples, lengths = _samples(batch)
        log_probabilities, frames, _ = model(input_signal=samples, input_signal_length=lengths)
        learner.learn(_ctc_loss(model, log_probabilities, frames, batch))


def _train_tdt(model: EncDecRNNTBPEModel, ctc: EncDecCTCModelBPE, teacher: Teacher, n_steps: int) -> None:
    new = [*model.decoder.parameters(), *model.joint.parameters()]
    old = [*model.encoder.parameters(), *ctc.decoder.parameters()]
    learner = _Learner("tdt", [(new, _RATE), (old, _ENCODER_RATE)], n_steps)
    durations = list(model.cfg.model_defaults.tdt_durations)
    model.train()
    for batch in _lessons(teacher, n_steps):
        samples, lengths = _samples(batch)
        encoded, frames = model(input_signal=samples, input_signal_length=lengths)
        targets, n_tokens = _targets(model, batch)
        decoded, _, _ = model.decoder(targets=targets, target_length=n_tokens)
        joint = model.joint(encoder_outputs=encoded, decoder_outputs=decoded)
        loss = tdt_loss(joint, targets, frames, n_tokens, durations)
        learner.learn(loss + _CTC_SHARE * _ctc_loss(ctc, ctc.decoder(encoder_output=encoded), frames, batch))


def _ctc_loss(model: EncDecCTCModelBPE, log_probabilities: Tensor, frames: Tensor, batch: Sequence[Lesson]) -> Tensor:
    targets, n_tokens = _targets(model, batch)
    return model.loss(log_probs=log_probabilities, targets=targets, input_lengths=frames, target_lengths=n_tokens)


def _lessons(teacher: Teacher, n_steps: int) -> Iterator[list[Lesson]]:
    done = 0
    while done < n_steps:
        for batch in teacher.batches(_BATCHES_AT_ONCE, _BATCH_S)[: n_steps - done]:
            done += 1
            yield batch


class _Learner:
    """AdamW with a warm-up, then a cosine down to almost nothing; prints how it goes."""

    def __init__(self, name: str, groups: Sequence[tuple[list[Parameter], float]], n_steps: int) -> None:
        self._name, self._n_steps, self._began = name, n_steps, time.monotonic()
        self._parameters = [parameter for parameters, _ in groups for parameter in parameters]
        options = [{"params": parameters, "lr": rate} for parameters, rate in groups]
        self._optimiser = torch.optim.AdamW(options, betas=(0.9, 0.98), weight_decay=1e-3)
        self._rates = torch.optim.lr_scheduler.LambdaLR(self._optimiser, self._share)
        self._losses: list[float] = []

    def learn(self, loss: Tensor) -> None:
        """Take one step."""
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimiser.step()
        self._rates.step()
        self._losses.append(loss.item())
        if len(self._losses) % 100 == 0:
            mean, elapsed_s = sum(self._losses[-100:]) / 100, time.monotonic() - self._began
            print(f"{self._name} step {len(self._losses)} loss {mean:.3f} after {elapsed_s:.0f} s", flush=True)

    def _share(self, step: int) -> float:
        """Return the share of the highest rate to learn with."""
        falling = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self._n_steps)))
        return min(1.0, (step + 1) / _WARM_UP_STEPS) * (_SPARED + (1 - _SPARED) * falling)


def _samples(batch: Sequence[Lesson]) -> tuple[Tensor, Tensor]:
    clips = [torch.from_numpy(lesson.samples) for lesson in batch]
    return pad_sequence(clips, batch_first=True), torch.tensor([len(clip) for clip in clips])


def _targets(model: Module, batch: Sequence[Lesson]) -> tuple[Tensor, Tensor]:
    tokens = [torch.tensor(model.tokenizer.text_to_ids(lesson.text), dtype=torch.long) for lesson in batch]
    return pad_sequence(tokens, batch_first=True), torch.tensor([len(ids) for ids in tokens])


def _word_error_rate(model: Module) -> float:
    """Return errors over words of unseen sentences in known voices, as NeMo itself decodes them."""
    said = [utterance for utterance in held_out_utterances() if not utterance.is_unseen_voice]
    heard = model.transcribe([utterance.samples for utterance in said], batch_size=16, verbose=False)
    pairs = [(found.text.split(), utterance.text.split()) for found, utterance in zip(heard, said, strict=True)]
    return sum(word_errors(*pair) for pair in pairs) / sum(len(truth) for _, truth in pairs)


if __name__ == "__main__":
    main()
