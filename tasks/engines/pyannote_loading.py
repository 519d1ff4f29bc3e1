"""Load pyannote pipelines from files on this disk, quietly, without telemetry and without asking the hub."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from storage.errors import EngineUnavailable
from tasks.engines.checkpoints import refuse_code
from tasks.engines.devices import pick_device
from tasks.engines.pyannote_files import PipelineFiles
from tasks.engines.registry import missing_library

_TELEMETRY: Final = "PYANNOTE_METRICS_ENABLED"


def load_pipeline(engine: str, files: PipelineFiles, *, device: str, trusted: bool) -> Any:
    """Return a ``SpeakerDiarization`` on the device, with the parameters of its configuration.

    Args:
        engine: Registered name, for errors.
        files: What it is made of.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        trusted: Whether checkpoints may run what they like while they are loaded.

    Raises:
        EngineUnavailable: pyannote.audio is not installed, or a file is damaged or of another kind.
    """
    # Set for every process that loads it, whatever was set: it would report lengths and numbers of speakers.
    os.environ[_TELEMETRY] = "0"
    try:
        with without_nemo(), quiet():
            import torch
            from pyannote.audio import Pipeline, pipelines  # noqa: F401 - the latter would come with the first model
            from pyannote.audio.core.plda import PLDA
    except ImportError as cause:
        raise missing_library(engine, cause) from cause
    if not trusted:
        for path in files.checkpoints():
            refuse_code(engine, path, "do not use it, or set trust_weights if you know who made it")
    # A clustering that needs no PLDA still wants one, and would fetch it from a gated repository.
    config = local_config(files, without_plda=PLDA.__new__(PLDA))
    try:
        with quiet():
            pipeline = Pipeline.from_pretrained(config)
            if pipeline is not None and not pipeline.instantiated:
                pipeline.instantiate(pipeline.default_parameters())
    except Exception as cause:
        raise _damaged(engine, files, f"cannot be loaded ({type(cause).__name__}: {cause})") from cause
    if pipeline is None:
        raise _damaged(engine, files, "gave no pipeline")
    return pipeline.to(torch.device(pick_device(device)))


def local_config(files: PipelineFiles, *, without_plda: object) -> dict[str, Any]:
    """Return the configuration with every model as a path, and nothing that would open something else.

    As dictionaries, because of paths as text the library guesses the kind of model from words in them.
    """
    params = dict(files.config["pipeline"]["params"])
    params |= {part: _checkpoint(part, path) for part, path in files.models.items()}
    params.setdefault("plda", without_plda)
    if "plda" not in files.models:
        params["plda"] = without_plda
    kept = {key: files.config[key] for key in ("params", "freeze", "dependencies", "version") if key in files.config}
    return {"pipeline": {"name": files.config["pipeline"]["name"], "params": {**params, "legacy": False}}, **kept}


def set_parameters(engine: str, pipeline: Any, changes: Mapping[str, Mapping[str, float]]) -> None:
    """Change parameters such as ``{"clustering": {"threshold": 0.6}}`` of a loaded pipeline.

    Raises:
        EngineUnavailable: this pipeline has no such parameter.
    """
    for group, values in changes.items():
        known = pipeline.parameters(instantiated=True).get(group, {})
        unknown = sorted(set(values) - set(known))
        if unknown:
            problem = f"the pipeline has no parameter {group} {', '.join(unknown)}; it has {', '.join(sorted(known))}"
            raise EngineUnavailable(f"engine {engine!r}", problem, "leave the option out")
        pipeline.instantiate({group: {**known, **values}})


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's warnings and prints to itself, and the precision of matrix products as it was.

    It turns TensorFloat-32 off for the whole process on every call; engines beside it shall keep theirs.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _same_precision():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def without_nemo() -> Iterator[None]:
    """Keep the library from importing all of NeMo, where that is installed too, for models that are never loaded here.

    It would cost 20 seconds and half a gigabyte.
    """
    if "nemo" in sys.modules:
        yield
        return
    sys.modules["nemo"] = None  # type: ignore[assignment]  # how Python is told that a module cannot be imported
    try:
        yield
    finally:
        del sys.modules["nemo"]


@contextlib.contextmanager
def _same_precision() -> Iterator[None]:
    try:
        from torch.backends import cuda, cudnn
    except ImportError:
        yield
        return
    before = cuda.matmul.allow_tf32, cudnn.allow_tf32
    try:
        yield
    finally:
        cuda.matmul.allow_tf32, cudnn.allow_tf32 = before


def _checkpoint(part: str, path: Path) -> dict[str, Any]:
    """Return what the library loads a model from; what it was trained with, such as a loss, may be left over."""
    return {"checkpoint": str(path)} if part == "plda" else {"checkpoint": str(path), "strict": False}


def _damaged(engine: str, files: PipelineFiles, problem: str) -> EngineUnavailable:
    return EngineUnavailable(f"engine {engine!r}", f"{files.config_path} {problem}", "fetch or copy the model again")
