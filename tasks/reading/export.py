"""Render the lake as text files: one document per recording, read and written one at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from storage.errors import ConfigError
from storage.formats import FORMATS
from storage.store import Store
from tasks.reading.choose_recordings import RecordingFilter
from tasks.reading.documents import read_documents

_ALL = RecordingFilter()
_WRITES_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written."""

    n_recordings: int
    n_left_out: int
    """Utterances that were left out for their flags."""
    out: str


def export_lake(
    lake_url: str,
    out_url: str,
    format_name: str,
    chosen: RecordingFilter = _ALL,
    *,
    without_flags: Collection[str] = (),
) -> ExportReport:
    """Write one file per recording under ``out_url``, at its source's path with the format's suffix.

    Recordings of several archives that have one source carry the beginning of their recording_id in their names.
    Each file is replaced as a whole; what earlier exports that were killed have left beside them is removed.

    Args:
        lake_url: The lake.
        out_url: Folder to write to; files there are replaced.
        format_name: A name in ``storage.formats.FORMATS``.
        chosen: Which recordings.
        without_flags: Utterances with any of these flags are left out, and their words.

    Raises:
        ConfigError: the format or the lake does not exist.
        StorageError: the lake cannot be read, or ``out_url`` not be written to.
    """
    if format_name not in FORMATS:
        raise ConfigError(f"format {format_name!r}", "there is no such format", f"choose one of {', '.join(FORMATS)}")
    form, out = FORMATS[format_name], Store(out_url)
    n_recordings, n_left_out, folders = 0, 0, set[str]()
    with _writing_to(out) as write:
        for read in read_documents(lake_url, chosen, without_flags=without_flags):
            key = f"{read.path}{form.suffix}"
            folders.add(key.rpartition("/")[0])
            write(key, form.render(read.document).encode())
            n_recordings += 1
            n_left_out += read.n_left_out
    for folder in folders:
        out.delete_leftovers(folder)
    return ExportReport(n_recordings=n_recordings, n_left_out=n_left_out, out=out_url)


@contextmanager
def _writing_to(out: Store) -> Iterator[Callable[[str, bytes], None]]:
    """Yield how to write a file, a few at a time: a disk takes long to keep each, and storage far away to answer."""
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_WRITES_AT_ONCE) as pool:

        def write(key: str, data: bytes) -> None:
            waiting.append(pool.submit(out.put, key, data))
            if len(waiting) > _WRITES_AT_ONCE:
                waiting.popleft().result()

        yield write
        for written in waiting:
            written.result()
