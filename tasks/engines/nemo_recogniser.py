"""A NeMo recogniser of any decoder, from arrays to tokens with their frames.

``model.transcribe`` would pad short clips on both sides and write a manifest for every call; the steps it takes are
called one by one here. All clips of a batch are padded on the right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from storage.errors import ConfigError, EngineUnavailable
from storage.records import SAMPLE_RATE_HZ, Clip
from tasks.engines.nemo_words import Token, TokenizerKind, aligned, collapsed

Decoder = Literal["auto", "rnnt", "ctc"]
Confidence = Literal["max_prob", "entropy"]
Precision = Literal["float32", "bfloat16", "float16"]

_REMEDY = "choose a Parakeet, FastConformer or Conformer model"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingSettings:
    """How a model is made to decode."""

    decoder: str = "auto"
    """``rnnt`` or ``ctc`` for models that have both; ``auto`` is the one the model has, or its ``rnnt``."""
    confidence: str = "max_prob"
    use_cuda_graph_decoder: bool = True
    attention_context_ms: int | None = None
    precision: str = "float32"


class NemoRecogniser:
    """A loaded model, decoding greedily, that says for each token when it was heard and how sure it is."""

    def __init__(self, engine: str, model: Any, settings: DecodingSettings) -> None:
        """Prepare a model of ``nemo.collections.asr.models``.

        Raises:
            ConfigError: the model has no such decoder, or the precision needs a GPU.
            EngineUnavailable: the model is no CTC or transducer model, wants more than sound, or hears another rate.
        """
        self._model = model
        self._precision = _checked_precision(engine, settings.precision, model.device.type)
        _check_rate(engine, model)
        self._is_ctc = _decodes_ctc(engine, model, settings.decoder)
        self.frame_ms = _frame_ms(engine, model)
        if settings.attention_context_ms is not None:
            _attend_locally(engine, model, max(1, settings.attention_context_ms // self.frame_ms))
        self._decoding = _prepared_decoding(model, settings, is_ctc=self._is_ctc)
        self._pieces: dict[int, str] = {}

    @property
    def tokenizer_kind(self) -> TokenizerKind:
        """How tokens say where a word begins."""
        kind: TokenizerKind = self._decoding.tokenizer_type
        return kind

    @property
    def spell(self) -> Callable[[list[str]], str]:
        """Return what turns the tokens of a word into text."""
        spell: Callable[[list[str]], str] = self._decoding.decode_tokens_to_str
        return spell

    def hear(self, clips: Sequence[Clip]) -> list[list[Token]]:
        """Return the tokens of each clip; clips are finite, and long enough for the model to bear."""
        import torch

        lengths = torch.tensor([len(clip) for clip in clips])
        signal = torch.zeros(len(clips), int(lengths.max()))
        for row, clip in zip(signal, clips, strict=True):
            row[: len(clip)] = torch.from_numpy(np.ascontiguousarray(clip))
        with torch.inference_mode():
            hypotheses = self._hypotheses(signal.to(self._model.device), lengths.to(self._model.device))
        to_tokens = self._ctc_tokens if self._is_ctc else self._transducer_tokens
        return [to_tokens(hypothesis) for hypothesis in hypotheses]

    def _hypotheses(self, signal: Any, lengths: Any) -> list[Any]:
        """Return NeMo's hypotheses; spectrum and search are in float32 whatever the encoder's precision."""
        import torch

        model, device = self._model, self._model.device.type
        dtype = getattr(torch, self._precision)
        with torch.autocast(device, enabled=False):
            spectrum, lengths = model.preprocessor(input_signal=signal, length=lengths)
        with torch.autocast(device, dtype=dtype, enabled=dtype is not torch.float32):
            encoded, lengths = model.encoder(audio_signal=spectrum, length=lengths)
        with torch.autocast(device, enabled=False):
            encoded = encoded.float()
            if not self._is_ctc:
                found = self._decoding.rnnt_decoder_predictions_tensor(encoded, lengths, return_hypotheses=True)
            else:
                head = model.ctc_decoder if hasattr(model, "ctc_decoder") else model.decoder
                scores = head(encoder_output=encoded)
                found = self._decoding.ctc_decoder_predictions_tensor(scores, lengths, return_hypotheses=True)
        return list(found)

    def _ctc_tokens(self, hypothesis: Any) -> list[Token]:
        labels = _numbers(hypothesis.y_sequence)
        runs = collapsed(labels, hypothesis.frame_confidence, self._decoding.blank_id)
        return [
            Token(text=self._piece(label), start_frame=start, end_frame=end, confidence=confidence)
            for (label, start, end, _), confidence in zip(
                runs, aligned([run[3] for run in runs], len(runs)), strict=True
            )
        ]

    def _transducer_tokens(self, hypothesis: Any) -> list[Token]:
        ids, frames = _numbers(hypothesis.y_sequence), _numbers(hypothesis.timestamp)
        durations = _numbers(hypothesis.token_duration) or [1] * len(ids)
        confidences = aligned(hypothesis.token_confidence, len(ids))
        return [
            Token(text=self._piece(label), start_frame=frame, end_frame=frame + duration, confidence=confidence)
            for label, frame, duration, confidence in zip(ids, frames, durations, confidences, strict=True)
            if label < self._decoding.blank_id
        ]

    def _piece(self, label: int) -> str:
        if label not in self._pieces:
            self._pieces[label] = str(self._decoding.decode_ids_to_tokens([label])[0])
        return self._pieces[label]


def _numbers(values: Any) -> list[int]:
    """Return Python's own numbers of a tensor, an array or a list."""
    return [int(value) for value in (values.tolist() if hasattr(values, "tolist") else values or ())]


def _checked_precision(engine: str, precision: str, device: str) -> str:
    if precision != "float32" and device != "cuda":
        problem = f"precision {precision} needs a CUDA device, not {device}"
        raise ConfigError(f"engine {engine!r}", problem, "choose float32")
    return precision


def _check_rate(engine: str, model: Any) -> None:
    rate_hz = int(model.cfg.preprocessor.sample_rate)
    if rate_hz != SAMPLE_RATE_HZ:
        problem = f"the model hears {rate_hz} Hz, clips have {SAMPLE_RATE_HZ}"
        raise EngineUnavailable(f"engine {engine!r}", problem, "choose a model for 16 kHz")


def _frame_ms(engine: str, model: Any) -> int:
    """Return the time between two frames of the encoder."""
    factor = getattr(model.encoder, "subsampling_factor", None)
    if factor is None:
        problem = f"a {type(model.encoder).__name__} does not say how long its frames are, so words would have no times"
        raise EngineUnavailable(f"engine {engine!r}", problem, _REMEDY)
    return round(float(model.cfg.preprocessor.window_stride) * int(factor) * 1000)


def _decodes_ctc(engine: str, model: Any, wanted: str) -> bool:
    """Return whether the model decodes with CTC, of what it has and what is wanted."""
    from nemo.collections.asr import models

    has_rnnt = isinstance(model, models.EncDecRNNTModel)
    has_ctc = isinstance(model, models.EncDecCTCModel) or hasattr(model, "ctc_decoder")
    if not has_rnnt and not has_ctc:
        problem = f"{type(model).__name__} has neither a CTC nor a transducer decoder"
        raise EngineUnavailable(f"engine {engine!r}", problem, _REMEDY)
    if type(model).forward not in (models.EncDecRNNTModel.forward, models.EncDecCTCModel.forward):
        problem = f"{type(model).__name__} wants more than sound, such as a prompt"
        raise EngineUnavailable(f"engine {engine!r}", problem, _REMEDY)
    if (wanted == "rnnt" and not has_rnnt) or (wanted == "ctc" and not has_ctc):
        remedy = f"it decodes with {'rnnt' if has_rnnt else 'ctc'}; leave decoder at auto"
        raise ConfigError(f"engine {engine!r}", f"{type(model).__name__} has no decoder {wanted}", remedy)
    return wanted == "ctc" or not has_rnnt


def _attend_locally(engine: str, model: Any, n_frames: int) -> None:
    if getattr(model.encoder, "self_attention_model", None) not in ("rel_pos", "rel_pos_local_attn"):
        problem = f"the attention of this {type(model).__name__} cannot be made local"
        raise ConfigError(f"engine {engine!r}", problem, "leave attention_context_ms out")
    model.change_attention_model("rel_pos_local_attn", [n_frames, n_frames])
    model.change_subsampling_conv_chunking_factor(1)
    model.eval()  # the new attention comes in training mode, and its dropout would change every result


def _prepared_decoding(model: Any, settings: DecodingSettings, *, is_ctc: bool) -> Any:
    """Return the model's decoding, changed once: greedy, in batches, with what tokens need and no more."""
    from omegaconf import OmegaConf

    is_hybrid = hasattr(model, "ctc_decoder")
    given = model.cfg.aux_ctc.decoding if is_ctc and is_hybrid else model.cfg.decoding
    config = OmegaConf.create(OmegaConf.to_container(given))
    OmegaConf.set_struct(config, False)
    changes: dict[str, Any] = {
        "strategy": "greedy_batch",
        "compute_timestamps": False,
        "confidence_cfg": {
            "preserve_frame_confidence": True,
            "preserve_token_confidence": True,
            "preserve_word_confidence": False,
            "exclude_blank": True,
            "aggregation": "min",
            "method_cfg": _confidence_method(settings.confidence),
        },
    }
    if not is_ctc:
        changes["tdt_include_token_duration"] = True
        changes["greedy"] = {"use_cuda_graph_decoder": settings.use_cuda_graph_decoder}
    config = OmegaConf.merge(config, changes)
    if is_hybrid:
        model.change_decoding_strategy(config, decoder_type="ctc" if is_ctc else "rnnt", verbose=False)
        return model.ctc_decoding if is_ctc else model.decoding
    model.change_decoding_strategy(config, verbose=False)
    return model.decoding


def _confidence_method(name: str) -> dict[str, Any]:
    """Return NeMo's settings: the probability of the best token, or how flat the distribution is (Tsallis, 1/3)."""
    return {"name": "max_prob", "alpha": 1.0} if name == "max_prob" else {"name": "entropy", "alpha": 0.33}
