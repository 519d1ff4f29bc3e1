"""What a torch checkpoint would run while it is loaded, found out without running it.

Some libraries insist on unpickling whole checkpoints, and a pickle may call anything. Here its names are read first.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from storage.errors import EngineUnavailable

_HARMLESS: Final = frozenset(
    {
        "builtins.bool", "builtins.bytes", "builtins.complex", "builtins.dict", "builtins.float", "builtins.frozenset",
        "builtins.int", "builtins.list", "builtins.set", "builtins.slice", "builtins.str", "builtins.tuple",
        "collections.OrderedDict", "collections.defaultdict", "pathlib.PosixPath", "pathlib.WindowsPath", "typing.Any",
        "numpy.dtype", "numpy.ndarray", "numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar",
        "numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar", "torch.torch_version.TorchVersion",
        "omegaconf.base.ContainerMetadata", "omegaconf.base.Metadata", "omegaconf.dictconfig.DictConfig",
        "omegaconf.listconfig.ListConfig", "omegaconf.nodes.AnyNode", "omegaconf.nodes.BooleanNode",
        "omegaconf.nodes.FloatNode", "omegaconf.nodes.IntegerNode", "omegaconf.nodes.StringNode",
        "lightning.fabric.utilities.data.AttributeDict", "lightning_fabric.utilities.data.AttributeDict",
        "pytorch_lightning.utilities.parsing.AttributeDict",
        "lightning.pytorch.callbacks.early_stopping.EarlyStopping",
        "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint",
        "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
        "pyannote.audio.core.model.Introspection", "pyannote.audio.core.task.Problem",
        "pyannote.audio.core.task.Resolution", "pyannote.audio.core.task.Specifications",
    }
)  # fmt: skip
"""Types of data that trainers store beside weights; making one of them does nothing else."""


_FORCE: Final = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def insist_on_weights_only() -> None:
    """Take away the variable that makes torch run what a checkpoint says, for libraries that leave the choice to it."""
    os.environ.pop(_FORCE, None)


def refuse_code(engine: str, path: Path, remedy: str) -> None:
    """Refuse a checkpoint that would call more than constructors of data.

    Raises:
        EngineUnavailable: it would, or it is no checkpoint or cut short.
    """
    from torch.serialization import get_unsafe_globals_in_checkpoint

    shown = f"{path.parent.name}/{path.name}"
    try:
        called = set(get_unsafe_globals_in_checkpoint(path))
    except Exception as cause:
        problem = f"{shown} is no checkpoint of torch or is cut short ({cause})"
        raise EngineUnavailable(f"engine {engine!r}", problem, "fetch or copy the file again") from cause
    if called - _HARMLESS:
        problem = f"loading {shown} would run {', '.join(sorted(called - _HARMLESS))}"
        raise EngineUnavailable(f"engine {engine!r}", problem, remedy)
