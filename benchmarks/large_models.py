"""NeMo models of real size with random weights, grown from the small ones of the tests.

What they hear is noise, but it takes them as long as trained ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_FASTCONFORMER_0_6B: Mapping[str, Any] = {
    "n_layers": 24,
    "d_model": 1024,
    "n_heads": 8,
    "ff_expansion_factor": 4,
    "conv_kernel_size": 9,
    "subsampling_conv_channels": 256,
}
_FASTCONFORMER_0_1B: Mapping[str, Any] = {**_FASTCONFORMER_0_6B, "n_layers": 17, "d_model": 512}
_TITANET_FILTERS, _TITANET_LAST, _TITANET_DIM = 1024, 3072, 192


def make_large(name: str, small: Path, path: Path) -> Path:
    """Write a model of real size to a path, and return it.

    Args:
        name: Of the engine, one of ``LARGE``.
        small: Its small .nemo file, for everything but the sizes.
        path: Where to.
    """
    from tasks.engines.nemo_models import restore_nemo

    classes = {"parakeet": "ASRModel", "sortformer": "SortformerEncLabelModel", "titanet": "EncDecSpeakerLabelModel"}
    model = restore_nemo(name, classes[name], small, "cpu")
    LARGE[name](model)
    model.save_to(str(path))
    return path


def _grow_parakeet(model: Any) -> None:
    """FastConformer XL, the encoder of the Parakeets of 0.6 billion parameters, with a CTC head."""
    _renew(model, "encoder", _FASTCONFORMER_0_6B)
    _renew(model, "decoder", {"feat_in": _FASTCONFORMER_0_6B["d_model"]})


def _grow_sortformer(model: Any) -> None:
    """Sizes of the streaming Sortformer v2: FastConformer L and 18 layers of Transformer."""
    _renew(model, "encoder", _FASTCONFORMER_0_1B)
    heads = {"num_layers": 18, "hidden_size": 192, "inner_size": 768, "num_attention_heads": 8}
    _renew(model, "transformer_encoder", heads)
    _renew(model, "sortformer_modules", {"fc_d_model": 512, "tf_d_model": 192})
    model.sortformer_modules.encoder_proj = model.sortformer_modules.encoder_proj.to(model.device)


def _grow_titanet(model: Any) -> None:
    """TitaNet-L: blocks of 1024 filters, a last one of 3072, vectors of 192 numbers."""
    blocks = model.cfg.encoder.jasper
    for block in blocks:
        block.filters = _TITANET_FILTERS
    blocks[-1].filters = _TITANET_LAST
    _renew(model, "encoder", {"jasper": blocks})
    _renew(model, "decoder", {"feat_in": _TITANET_LAST, "emb_sizes": _TITANET_DIM, "angular": True})


LARGE: Mapping[str, Callable[[Any], None]] = {
    "parakeet": _grow_parakeet,
    "sortformer": _grow_sortformer,
    "titanet": _grow_titanet,
}


def _renew(model: Any, part: str, sizes: Mapping[str, Any]) -> None:
    """Make a part of a model anew in other sizes, in the model and in its configuration."""
    from omegaconf import OmegaConf, open_dict

    config = model.cfg
    with open_dict(config):
        config[part] = OmegaConf.merge(config[part], dict(sizes))
    setattr(model, part, type(model).from_config_dict(config[part]))
    model.cfg = config
