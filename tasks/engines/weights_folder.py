"""A folder of fetched weights, to be copied to machines without internet; ``VOXLAKE_WEIGHTS`` says where it lies.

Each repository has a folder of its own, ``owner--name``, and ``weights.json`` lists what belongs into it, so that a
copy that lost or shortened a file is noticed before any work starts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.errors import EngineUnavailable

VARIABLE = "VOXLAKE_WEIGHTS"
_LIST = "weights.json"

Record = Mapping[str, Any]
"""``revision`` as asked for, ``commit``, ``files``: size in bytes and SHA-256 by name."""


def weights_folder() -> Path | None:
    """Return the folder that the environment names."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else None


def folder_of(folder: Path, model: str) -> Path:
    """Return where the files of a repository go."""
    return folder / model.replace("/", "--")


def add_record(folder: Path, model: str, revision: str | None, commit: str, files: Sequence[Path]) -> None:
    """List what was fetched of a repository, beside what is listed already."""
    place = folder_of(folder, model)
    contents = {file.relative_to(place).as_posix(): _measured(file) for file in files}
    before = read_records(folder).get(model)
    if before and before["commit"] == commit:
        contents = {**before["files"], **contents}
    records = {**read_records(folder), model: {"revision": revision, "commit": commit, "files": contents}}
    part = folder / f"{_LIST}.part"
    part.write_text(json.dumps(records, indent=1, sort_keys=True) + "\n")
    part.replace(folder / _LIST)


def read_records(folder: Path) -> dict[str, Record]:
    """Return what the folder lists, by repository; nothing where there is no list yet."""
    try:
        records: dict[str, Record] = json.loads((folder / _LIST).read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as cause:
        raise EngineUnavailable(str(folder / _LIST), f"cannot be read ({cause})", "copy the folder again") from cause
    return records


def find_in_folder(engine: str, model: str, revision: str | None) -> Path | None:
    """Return the folder of a repository among the fetched ones, whole and of that revision; None if it is not there.

    Raises:
        EngineUnavailable: it is there, but a file is missing or cut short, or it is of another revision.
    """
    folder = weights_folder()
    record = read_records(folder).get(model) if folder else None
    if folder is None or record is None:
        return None
    if revision not in (None, record["revision"], record["commit"]):
        problem = f"{VARIABLE} has {model} at {record['revision'] or record['commit']}, not at {revision}"
        raise EngineUnavailable(f"engine {engine!r}", problem, "fetch that revision")
    place = folder_of(folder, model)
    for name, (size, _) in sorted(record["files"].items()):
        file = place / name
        if not file.is_file() or file.stat().st_size != size:
            problem = f"{model}: {name} is {'cut short or changed' if file.is_file() else 'missing'} in {VARIABLE}"
            raise EngineUnavailable(f"engine {engine!r}", problem, "fetch or copy the folder again")
    return place


def _measured(file: Path) -> tuple[int, str]:
    with file.open("rb") as content:
        return file.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest()
