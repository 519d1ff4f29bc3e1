"""Models put together from the two small recognisers, which share an encoder: a hybrid, and one without durations."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.engines.nemo_models import restore_nemo


def hybrid_of(ctc_path: Path, tdt_path: Path, path: Path) -> Path:
    """Write an ``EncDecHybridRNNTCTCBPEModel`` with the decoders of both."""
    from nemo.collections.asr.models import EncDecHybridRNNTCTCBPEModel

    ctc, tdt = _restored(ctc_path), _restored(tdt_path)
    with _config_of(tdt, tdt_path) as config:
        head = {"_target_": "nemo.collections.asr.modules.ConvASRDecoder", "num_classes": -1, "vocabulary": []}
        config.aux_ctc = {
            "ctc_loss_weight": 0.3,
            "decoder": {**head, "feat_in": None},
            "decoding": {"strategy": "greedy"},
        }
        hybrid = EncDecHybridRNNTCTCBPEModel(config)
        hybrid.load_state_dict(tdt.state_dict(), strict=False)
        hybrid.ctc_decoder.load_state_dict(ctc.decoder.state_dict())
        return _saved(hybrid, path)


def without_durations(tdt_path: Path, path: Path) -> Path:
    """Write a plain transducer with the weights of one that tells durations; it has not learnt to do without them."""
    from nemo.collections.asr.models import EncDecRNNTBPEModel

    tdt = _restored(tdt_path)
    with _config_of(tdt, tdt_path) as config:
        config.joint.num_extra_outputs = 0
        config.decoding = {"strategy": "greedy_batch", "greedy": {"max_symbols": 10}}
        config.loss = {"loss_name": "default"}
        plain = EncDecRNNTBPEModel(config)
        weights, wanted = tdt.state_dict(), plain.state_dict()
        plain.load_state_dict({name: _first(weights[name], weight.shape) for name, weight in wanted.items()})
        return _saved(plain, path)


def _restored(path: Path) -> Any:
    return restore_nemo("test", "ASRModel", path, "cpu")


@contextmanager
def _config_of(model: Any, path: Path) -> Iterator[Any]:
    """Give the configuration of a model with its tokenizer in a folder, as a new model wants it."""
    from nemo.core.connectors.save_restore_connector import SaveRestoreConnector
    from omegaconf import OmegaConf

    with tempfile.TemporaryDirectory() as folder:
        SaveRestoreConnector._unpack_nemo_file(str(path), folder)
        for kind in ("tokenizer.model", "vocab.txt", "tokenizer.vocab"):
            (found,) = Path(folder).glob(f"*_{kind}")
            found.rename(Path(folder) / kind)
        config = OmegaConf.create(OmegaConf.to_container(model.cfg))
        config.tokenizer = {"dir": folder, "type": "bpe"}
        del config.target
        yield config


def _first(weight: Any, shape: Sequence[int]) -> Any:
    """Return the rows there are room for: tokens come before durations."""
    return weight[: shape[0]] if shape else weight


def _saved(model: Any, path: Path) -> Path:
    model.eval()
    model.save_to(str(path))
    return path
