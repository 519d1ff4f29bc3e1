"""Save models as pyannote.audio stores them, in little room."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import torch

_FORMAT_READ_BY = "2.4.0"


def save_checkpoint(model: Any, path: Path) -> None:
    """Write ``pytorch_model.bin`` that ``pyannote.audio.Model.from_pretrained`` loads.

    Weights are stored in half precision, and the archive is compressed, which ``torch.load`` reads as well: a class
    whose width cannot be chosen costs no more than the part of it that is used.
    """
    checkpoint: dict[str, Any] = {
        "pytorch-lightning_version": _FORMAT_READ_BY,
        "state_dict": {name: _halved(value) for name, value in model.state_dict().items()},
        "hyper_parameters": dict(model.hparams),
    }
    model.on_save_checkpoint(checkpoint)
    loose = io.BytesIO()
    torch.save(checkpoint, loose)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_compressed(loose))


def _halved(value: torch.Tensor) -> torch.Tensor:
    return value.half() if value.is_floating_point() else value


def _compressed(loose: io.BytesIO) -> bytes:
    tight = io.BytesIO()
    with zipfile.ZipFile(loose) as source, zipfile.ZipFile(tight, "w") as target:
        for item in source.infolist():
            # A new entry has no time of day, so that the same weights give the same bytes.
            target.writestr(zipfile.ZipInfo(item.filename), source.read(item), zipfile.ZIP_DEFLATED, 9)
    return tight.getvalue()
