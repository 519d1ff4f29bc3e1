"""Where weights come from: a path, a folder of fetched ones, the hub's cache, or, when asked to fetch, the hub itself.

Looking for weights never touches the network, so a plan or a list of engines costs milliseconds and tells nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from storage.errors import EngineUnavailable
from tasks.engines.registry import missing_library
from tasks.engines.weights_folder import add_record, find_in_folder, folder_of

_TOKEN_NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_HOW_TO_ASK = "make a token at https://hf.co/settings/tokens and set it as HF_TOKEN, in the environment or in ./.env"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSource:
    """The weights an engine needs: a path, or a repository of the model hub."""

    engine: str
    """Registered name, for errors."""
    model: str
    """Path that exists here, or repository ``owner/name``."""
    revision: str | None = None
    """Branch, tag or commit of the repository; None for what was fetched last."""
    filename: str | None = None
    """The one file wanted; None for a folder."""
    patterns: tuple[str, ...] = ("*",)
    """Files wanted of a folder."""
    required: tuple[str, ...] = ()
    """Files that the folder must have."""
    gate_page: str | None = None
    """Page whose terms have to be accepted before the hub gives the weights."""

    @property
    def is_local(self) -> bool:
        """Whether the model names a path rather than a repository."""
        return _local_path(self.model) is not None


@runtime_checkable
class HasWeights(Protocol):
    """An engine class whose weights can be fetched."""

    @classmethod
    def weights(cls, options: Mapping[str, object]) -> tuple[WeightsSource, ...]:
        """Return what the engine loads with those options; nothing is looked for yet."""
        ...


def locate(source: WeightsSource) -> Path:
    """Return the file or folder on this disk.

    Raises:
        EngineUnavailable: it is not here, or the folder lacks what it must have; the message says the remedy.
    """
    path = _whereabouts(source)
    if path.is_dir():
        missing = [name for name in source.required if not (path / name).exists()]
        if missing:
            problem = f"{source.model} has no {', '.join(missing)}"
            raise EngineUnavailable(_subject(source), problem, "give the folder of a whole model, or fetch it anew")
    return path


def fetch(source: WeightsSource, folder: Path | None = None) -> Path:
    """Download what is missing, into the hub's cache or below a folder, and return where it lies.

    Raises:
        EngineUnavailable: the hub cannot be reached, does not have it, or wants terms accepted first.
    """
    if source.is_local:
        return locate(source)
    _refuse_lost_path(source)
    with _hub_errors(source):
        commit = _commit(source)
        place = None if folder is None else folder_of(folder, source.model)
        found = replace(source, model=str(_download(source, source.revision if place is None else commit, place)))
    path = locate(found)
    if folder is not None:
        add_record(folder, source.model, source.revision, commit, wanted_files(found))
    return path


def _commit(source: WeightsSource) -> str:
    """Return the commit that the revision means now, so that all files are of one."""
    from huggingface_hub import HfApi

    return str(HfApi(token=hub_token()).model_info(source.model, revision=source.revision).sha)


def _download(source: WeightsSource, revision: str | None, place: Path | None) -> Path:
    from huggingface_hub import hf_hub_download, snapshot_download

    common: dict[str, Any] = {"revision": revision, "token": hub_token(), "local_dir": place}
    if source.filename is not None:
        return Path(hf_hub_download(source.model, source.filename, **common))
    return Path(snapshot_download(source.model, allow_patterns=list(source.patterns), **common))


def wanted_files(source: WeightsSource) -> list[Path]:
    """Return the files of the source on this disk, sorted; raises as ``locate``."""
    path = locate(source)
    if path.is_file():
        return [path]
    inside = sorted(file for file in path.rglob("*") if file.is_file())
    names = {file: file.relative_to(path).as_posix() for file in inside}
    return [
        file
        for file, name in names.items()
        if not name.startswith(".") and any(fnmatch(name, pattern) for pattern in source.patterns)
    ]


def hub_token() -> str | None:
    """Return the access token from the environment, or from ``.env`` in the current folder."""
    from dotenv import dotenv_values

    given = {**dotenv_values(".env"), **os.environ}
    return next((given[name] for name in _TOKEN_NAMES if given.get(name)), None)


def _whereabouts(source: WeightsSource) -> Path:
    local = _local_path(source.model) or find_in_folder(source.engine, source.model, source.revision)
    return _inside(source, local) if local is not None else _cached(source)


def _local_path(model: str) -> Path | None:
    path = Path(model).expanduser()
    return path if path.exists() else None


def _inside(source: WeightsSource, path: Path) -> Path:
    """Return the wanted file, given itself or the folder that holds it."""
    if source.filename is None or path.is_file():
        return path
    if (path / source.filename).is_file():
        return path / source.filename
    found = sorted(path.glob(f"*{Path(source.filename).suffix}"))
    if len(found) != 1:
        problem = f"{source.model} holds {len(found)} files {Path(source.filename).suffix}, not one"
        raise EngineUnavailable(_subject(source), problem, "name the file itself")
    return found[0]


def _cached(source: WeightsSource) -> Path:
    """Return what an earlier fetch left in the hub's cache."""
    _refuse_lost_path(source)
    try:
        from huggingface_hub import snapshot_download, try_to_load_from_cache
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as cause:
        raise missing_library(source.engine, cause) from cause
    try:
        if source.filename is not None:
            found = try_to_load_from_cache(source.model, source.filename, revision=source.revision)
            if isinstance(found, str):
                return Path(found)
        else:
            options: dict[str, Any] = {"allow_patterns": list(source.patterns), "local_files_only": True}
            return Path(snapshot_download(source.model, revision=source.revision, **options))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as cause:
        raise _not_here(source) from cause
    raise _not_here(source)


def _refuse_lost_path(source: WeightsSource) -> None:
    """Say of a path that it does not exist, rather than take it for a repository."""
    if source.model.count("/") != 1 or source.model.startswith((".", "/", "~")):
        problem = f"{source.model} does not exist here"
        raise EngineUnavailable(_subject(source), problem, "give a path, or a repository of the hub as owner/name")


def _not_here(source: WeightsSource) -> EngineUnavailable:
    revision = f" at {source.revision}" if source.revision else ""
    gate = f"accept the terms at {source.gate_page}, {_HOW_TO_ASK}, then " if source.gate_page else ""
    remedy = f"{gate}fetch them with: voxlake engines fetch PROFILE"
    return EngineUnavailable(_subject(source), f"the weights {source.model}{revision} are not on this machine", remedy)


@contextmanager
def _hub_errors(source: WeightsSource) -> Iterator[None]:
    try:
        from huggingface_hub import errors
    except ImportError as cause:
        raise missing_library(source.engine, cause) from cause
    try:
        yield
    except errors.GatedRepoError as cause:
        page = source.gate_page or f"https://hf.co/{source.model}"
        remedy = f"accept them at {page}; {_HOW_TO_ASK}"
        raise _refused(source, "is given only to who accepted its terms", remedy) from cause
    except errors.RevisionNotFoundError as cause:
        raise _refused(source, f"has no revision {source.revision}", "correct the revision") from cause
    except errors.RemoteEntryNotFoundError as cause:
        raise _refused(source, f"has no file {source.filename}", "name a repository that has one") from cause
    except errors.RepositoryNotFoundError as cause:
        remedy = f"check the name; if it is private or gated, {_HOW_TO_ASK}"
        raise _refused(source, "is not on the hub, or not for you", remedy) from cause
    except Exception as cause:
        remedy = "try again with a connection, or copy a folder made by `voxlake engines fetch` elsewhere"
        raise _refused(source, f"cannot be fetched ({type(cause).__name__})", remedy) from cause


def _refused(source: WeightsSource, problem: str, remedy: str) -> EngineUnavailable:
    return EngineUnavailable(_subject(source), f"{source.model} {problem}", remedy)


def _subject(source: WeightsSource) -> str:
    return f"engine {source.engine!r}"
