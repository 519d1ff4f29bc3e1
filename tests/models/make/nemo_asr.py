"""Small recognisers of NeMo's own classes: their tokenizer and their configuration.

A FastConformer of under half a million parameters, as the big ones are built, with a CTC decoder or with a transducer
that also predicts durations (TDT).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nemo.collections.asr.models import EncDecCTCModelBPE, EncDecRNNTBPEModel
from omegaconf import OmegaConf
from sentencepiece import SentencePieceTrainer

from tests.models.make.voices import RATE_HZ

_MODULES = "nemo.collections.asr.modules"
_N_TOKENS = 128
_N_MELS = 80
_WIDTH = 80
_DURATIONS = (0, 1, 2, 3, 4)


def make_tokenizer(texts: Iterable[str], folder: Path) -> Path:
    """Write a SentencePiece model that can spell the texts, with its vocabulary, and return the folder."""
    SentencePieceTrainer.Train(
        sentence_iterator=iter(sorted(texts)),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=_N_TOKENS,
        bos_id=-1,
        eos_id=-1,
        normalization_rule_name="identity",  # the usual table would be a tenth of the whole model
        minloglevel=2,
    )
    pieces = [line.split("\t")[0] for line in (folder / "tokenizer.vocab").read_text().splitlines()]
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces[1:]))
    return folder


def new_ctc(tokenizer: Path) -> EncDecCTCModelBPE:
    """Return an untrained CTC model; the tokenizer's folder has to be there until the model is saved."""
    decoder = {"_target_": f"{_MODULES}.ConvASRDecoder", "feat_in": None, "num_classes": -1, "vocabulary": []}
    return EncDecCTCModelBPE(
        OmegaConf.create({**_common(tokenizer), "decoder": decoder, "ctc_reduction": "mean_volume"})
    )


def new_tdt(tokenizer: Path) -> EncDecRNNTBPEModel:
    """Return an untrained TDT model; the tokenizer's folder has to be there until the model is saved."""
    return EncDecRNNTBPEModel(OmegaConf.create({**_common(tokenizer), **_transducer()}))


def _common(tokenizer: Path) -> dict[str, Any]:
    return {
        "sample_rate": RATE_HZ,
        "log_prediction": False,
        "skip_nan_grad": False,
        "tokenizer": {"dir": str(tokenizer), "type": "bpe"},
        "preprocessor": {
            "_target_": f"{_MODULES}.AudioToMelSpectrogramPreprocessor",
            "sample_rate": RATE_HZ,
            "normalize": "per_feature",
            "window_size": 0.025,
            "window_stride": 0.01,
            "window": "hann",
            "features": _N_MELS,
            "n_fft": 512,
            "log": True,
            "frame_splicing": 1,
            "dither": 1e-5,
            "pad_to": 0,
            "pad_value": 0.0,
        },
        "spec_augment": {
            "_target_": f"{_MODULES}.SpectrogramAugmentation",
            "freq_masks": 1,
            "time_masks": 2,
            "freq_width": 12,
            "time_width": 0.04,
        },
        "encoder": {
            "_target_": f"{_MODULES}.ConformerEncoder",
            "feat_in": _N_MELS,
            "feat_out": -1,
            "n_layers": 3,
            "d_model": _WIDTH,
            "subsampling": "dw_striding",
            "subsampling_factor": 8,
            "subsampling_conv_channels": 64,
            "causal_downsampling": False,
            "ff_expansion_factor": 3,
            "self_attention_model": "rel_pos",
            "n_heads": 4,
            "att_context_size": [-1, -1],
            "att_context_style": "regular",
            "xscaling": True,
            "untie_biases": True,
            "pos_emb_max_len": 5000,
            "conv_kernel_size": 9,
            "conv_norm_type": "batch_norm",
            "conv_context_size": None,
            "dropout": 0.05,
            "dropout_pre_encoder": 0.05,
            "dropout_emb": 0.0,
            "dropout_att": 0.05,
        },
    }


def _transducer() -> dict[str, Any]:
    return {
        "model_defaults": {
            "enc_hidden": _WIDTH,
            "pred_hidden": _WIDTH,
            "joint_hidden": _WIDTH,
            "tdt_durations": list(_DURATIONS),
            "num_tdt_durations": len(_DURATIONS),
        },
        "decoder": {
            "_target_": f"{_MODULES}.RNNTDecoder",
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "prednet": {"pred_hidden": _WIDTH, "pred_rnn_layers": 1, "t_max": None, "dropout": 0.1},
        },
        "joint": {
            "_target_": f"{_MODULES}.RNNTJoint",
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": False,
            "fused_batch_size": -1,
            "jointnet": {"joint_hidden": _WIDTH, "activation": "relu", "dropout": 0.1},
            "num_extra_outputs": len(_DURATIONS),
        },
        "decoding": {
            "strategy": "greedy_batch",
            "model_type": "tdt",
            "durations": list(_DURATIONS),
            "greedy": {"max_symbols": 10},
            "beam": {"beam_size": 2, "return_best_hypothesis": False, "score_norm": True, "tsd_max_sym_exp": 50},
        },
        "loss": {
            "loss_name": "tdt",
            "tdt_kwargs": {"fastemit_lambda": 0.0, "durations": list(_DURATIONS), "sigma": 0.02, "omega": 0.1},
        },
    }
