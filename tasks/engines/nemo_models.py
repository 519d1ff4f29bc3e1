"""Load NeMo models: true classes, from .nemo files, with an error that says what is wrong with a file."""

from __future__ import annotations

import logging
import tarfile
from pathlib import Path
from typing import Any

from storage.errors import EngineUnavailable
from tasks.engines.checkpoints import insist_on_weights_only
from tasks.engines.devices import is_out_of_memory, pick_device
from tasks.engines.hub import WeightsSource
from tasks.engines.registry import missing_library

_PARTS = ("model_config.yaml", "model_weights.ckpt")
_TELEMETRY = "nv_one_logger"
"""NeMo loads it, never uses it unless told to, and lets it say so at length."""


def nemo_weights(engine: str, model: str, revision: str | None) -> WeightsSource:
    """Return the source of a .nemo file: a path, or a repository that holds a file of its own name."""
    return WeightsSource(engine=engine, model=model, revision=revision, filename=f"{model.rpartition('/')[2]}.nemo")


def check_nemo_file(engine: str, path: Path) -> None:
    """Look into the archive without loading it.

    Raises:
        EngineUnavailable: it is no .nemo file, or a part of it is missing.
    """
    try:
        with tarfile.open(path) as archive:
            names = {Path(member.name).name for member in archive}
    except (tarfile.TarError, EOFError) as cause:
        raise _damaged(engine, path, "is no .nemo file, or is cut short") from cause
    except OSError as cause:
        raise _damaged(engine, path, f"cannot be read ({cause.strerror})") from cause
    missing = [part for part in _PARTS if part not in names]
    if missing:
        raise _damaged(engine, path, f"holds no {' and no '.join(missing)}")


def restore_nemo(engine: str, class_name: str, path: Path, device: str) -> Any:
    """Return a model of ``nemo.collections.asr.models``, in evaluation mode on the device.

    Args:
        engine: Registered name, for errors.
        class_name: For example ``SortformerEncLabelModel``; ``ASRModel`` takes whichever the file is of.
        path: The .nemo file.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.

    Raises:
        EngineUnavailable: NeMo is not installed, or the file is damaged or of another kind.
    """
    check_nemo_file(engine, path)
    logging.getLogger(_TELEMETRY).setLevel(logging.ERROR)
    try:
        from nemo.collections.asr import models
        from nemo.utils import logging as nemo_logging
    except ImportError as cause:
        raise missing_library(engine, cause) from cause
    nemo_logging.setLevel(logging.ERROR)
    insist_on_weights_only()
    try:
        model = getattr(models, class_name).restore_from(str(path), map_location=pick_device(device))
    except Exception as cause:
        if is_out_of_memory(cause):
            problem = f"{path.name} does not fit into the memory of {pick_device(device)}"
            raise EngineUnavailable(f"engine {engine!r}", problem, "free some, or choose another device") from cause
        raise _damaged(engine, path, f"cannot be loaded as {class_name} ({type(cause).__name__}: {cause})") from cause
    if not isinstance(model, getattr(models, class_name)):
        raise _damaged(engine, path, f"is a {type(model).__name__}, not a {class_name}")
    model.eval()
    return model


def _damaged(engine: str, path: Path, problem: str) -> EngineUnavailable:
    return EngineUnavailable(f"engine {engine!r}", f"{path.name} {problem}", "fetch or copy the file again")
