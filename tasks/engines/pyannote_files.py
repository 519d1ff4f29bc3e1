"""What a pyannote pipeline is made of, and where its pieces lie: a configuration that refers to models.

``speaker-diarization-community-1`` has its models in folders beside its configuration; that of
``speaker-diarization-3.1`` names other repositories. Everything is found on this disk: the library itself would ask the
hub for whatever it is not given as a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from storage.errors import EngineUnavailable
from tasks.engines.hub import WeightsSource, locate
from tasks.engines.weights import weights_digest
from tasks.engines.weights_folder import folder_of

CONFIG: Final = "config.yaml"
_FILES: Final = {
    "segmentation": ("pytorch_model.bin",),
    "embedding": ("pytorch_model.bin",),
    "plda": ("xvec_transform.npz", "plda.npz"),
}
_CLUSTERING_WITH_PLDA: Final = "VBxClustering"
_PIPELINE: Final = "SpeakerDiarization"
_WHOLE: Final = "fetch or copy the whole model again"
_REFERS_TO: Final = {
    "pyannote/speaker-diarization-3.1": ("pyannote/segmentation-3.0", "pyannote/wespeaker-voxceleb-resnet34-LM"),
}
"""What the configuration of a repository names, for when it is not here to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A model as a configuration names it."""

    model: str
    """Path or repository; empty for the repository of the configuration itself."""
    subfolder: str = ""
    revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFiles:
    """A configuration, and the file or folder on this disk of each model it refers to."""

    config: Mapping[str, Any]
    config_path: Path
    models: Mapping[str, Path]
    """By ``segmentation``, ``embedding``, ``plda``; the last only where the clustering uses one."""

    def digest(self) -> str:
        """Return 16 hex digits that follow the contents of all files, wherever they lie."""
        whole = hashlib.sha256(weights_digest([self.config_path]).encode())
        for part, path in sorted(self.models.items()):
            whole.update(f"{part} {weights_digest(_files(part, path))}".encode())
        return whole.hexdigest()[:16]

    def checkpoints(self) -> list[Path]:
        """Return the files of the networks."""
        return [file for part, path in self.models.items() if part != "plda" for file in _files(part, path)]


def find_pipeline(engine: str, model: str, revision: str | None) -> PipelineFiles:
    """Return the pieces of a pipeline on this disk.

    Args:
        engine: Registered name, for errors.
        model: Folder of a pipeline, its ``config.yaml``, or a repository of the hub.
        revision: Of the repository.

    Raises:
        EngineUnavailable: a piece is not here, or it is no speaker diarization of pyannote.
    """
    found = locate(_source(engine, model, revision))
    config_path = found if found.is_file() else found / CONFIG
    config = _read(engine, config_path)
    models = {}
    for part, reference in _references(engine, config).items():
        path = _place(_nested(engine, model, revision, part, reference), reference, config_path.parent)
        missing = [file for file in _files(part, path) if not file.is_file()]
        if missing:
            raise _wrong(
                engine, f"{model} has no {part} ({missing[0]} is missing)", "fetch or copy the whole model again"
            )
        models[part] = path
    return PipelineFiles(config=config, config_path=config_path, models=models)


def pipeline_sources(engine: str, model: str, revision: str | None) -> tuple[WeightsSource, ...]:
    """Return the repositories or paths that a pipeline is made of, as far as can be known here."""
    whole = _source(engine, model, revision)
    try:
        found = locate(whole)
        references = _references(engine, _read(engine, found if found.is_file() else found / CONFIG))
    except EngineUnavailable:
        pairs = zip(_FILES, _REFERS_TO.get(model, ()), strict=False)
        references = {part: Reference(model=named) for part, named in pairs}
        return (whole, *(_nested(engine, model, revision, *pair) for pair in references.items()))
    folder = found if found.is_dir() else found.parent
    elsewhere = {part: ref for part, ref in references.items() if _beside(ref, folder) is None}
    return (whole, *(_nested(engine, model, revision, *pair) for pair in elsewhere.items()))


def _source(engine: str, model: str, revision: str | None) -> WeightsSource:
    return WeightsSource(
        engine=engine,
        model=model,
        revision=revision,
        patterns=("*.yaml", "*.bin", "*.npz"),
        required=(CONFIG,),
        gate_page=_gate_page(model),
    )


def _nested(engine: str, model: str, revision: str | None, part: str, reference: Reference) -> WeightsSource:
    names = tuple(f"{reference.subfolder}/{name}".lstrip("/") for name in _FILES[part])
    named = reference.model or model
    return WeightsSource(
        engine=engine,
        model=named,
        revision=reference.revision or (None if reference.model else revision),
        patterns=names,
        required=names,
        gate_page=_gate_page(named),
    )


def _gate_page(model: str) -> str | None:
    """Return the page of a repository of pyannote's, all of which may ask to accept terms."""
    return f"https://hf.co/{model}" if model.startswith("pyannote/") else None


def _place(source: WeightsSource, reference: Reference, folder: Path) -> Path:
    """Return the file or folder of a model: beside the configuration, or wherever weights are kept."""
    return _beside(reference, folder) or locate(source) / reference.subfolder


def _beside(reference: Reference, folder: Path) -> Path | None:
    """Return where a model lies relative to the configuration, if it does."""
    if not reference.model and reference.revision is None:
        return folder / reference.subfolder
    places = [folder / reference.model, folder_of(folder.parent, reference.model)] if reference.model else []
    return next((place / reference.subfolder for place in places if place.exists()), None)


def _files(part: str, path: Path) -> list[Path]:
    return [path] if path.is_file() else [path / name for name in _FILES[part]]


def _read(engine: str, path: Path) -> Mapping[str, Any]:
    try:
        config = yaml.safe_load(path.read_text())
        name, params = config["pipeline"]["name"], config["pipeline"]["params"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as cause:
        raise _wrong(engine, f"{path} is no configuration of a pipeline ({cause})", "fetch or copy it again") from cause
    if not isinstance(params, dict) or not str(name).startswith("pyannote.audio.") or not name.endswith(_PIPELINE):
        problem = f"{path} is of {name}, not of pyannote's {_PIPELINE}"
        raise _wrong(engine, problem, "name a speaker diarization pipeline")
    return dict(config)


def _references(engine: str, config: Mapping[str, Any]) -> dict[str, Reference]:
    params = config["pipeline"]["params"]
    uses_plda = params.get("clustering", _CLUSTERING_WITH_PLDA) == _CLUSTERING_WITH_PLDA
    wanted = [part for part in _FILES if part != "plda" or uses_plda]
    return {part: _reference(engine, part, params.get(part)) for part in wanted}


def _reference(engine: str, part: str, value: object) -> Reference:
    """Read ``$model/folder``, ``owner/name``, either with ``@revision``, or the same as a dictionary."""
    if isinstance(value, dict) and isinstance(value.get("checkpoint"), str):
        named, subfolder, revision = value["checkpoint"], str(value.get("subfolder") or ""), value.get("revision")
        return Reference(model=named, subfolder=subfolder, revision=revision)
    if not isinstance(value, str):
        raise _wrong(engine, f"{CONFIG} names no {part} ({value!r})", _WHOLE)
    named, _, revision = value.partition("@")
    if named.startswith("$model/"):
        return Reference(model="", subfolder=named.removeprefix("$model/"), revision=revision or None)
    return Reference(model=named, revision=revision or None)


def _wrong(engine: str, problem: str, remedy: str) -> EngineUnavailable:
    return EngineUnavailable(f"engine {engine!r}", problem, remedy)
