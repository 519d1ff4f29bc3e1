"""List what an archive holds, without opening anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from pathlib import Path

from fsspec import AbstractFileSystem

from storage.errors import (
    ConfigError,
    RecordingError,
    StorageError,
    StoreUnreachable,
    UnreachableAudio,
    UnsafeMedia,
    is_transient,
)
from storage.filesystems import plain_errors
from storage.records import SourceObject
from tasks.planning.archive import locate

_DOCUMENTS = (
    ".bib .csv .css .doc .docx .htm .html .ini .ipynb .js .json .jsonl .lnk .log .md .nfo .odp .ods .odt .parquet .pdf "
    ".ppt .pptx .ps .py .rst .rtf .sh .sql .tex .toml .tsv .txt .url .xls .xlsx .xml .yaml .yml"
)
_PICTURES = ".ai .bmp .eps .gif .heic .ico .jpeg .jpg .png .psd .svg .tif .tiff .webp"
_TRANSCRIPTS = ".ass .cha .ctm .eaf .lrc .rttm .sbv .srt .ssa .stm .sub .textgrid .trs .uem .vtt"
_COMPANIONS = (
    ".asd .cue .db .duckdb .exe .idx .md5 .par2 .peak .pk .pkf .reapeaks .sfk .sfv .sha1 .sha256 .sha512 .sqlite "
    ".7z .bz2 .gz .rar .tar .tgz .xz .zip .zst"
)
_UNFINISHED = ".bak .crdownload .download .filepart .part .partial .swp .tmp"
OTHER_SUFFIXES = frozenset(f"{_DOCUMENTS} {_PICTURES} {_TRANSCRIPTS} {_COMPANIONS} {_UNFINISHED}".split())
"""Of files that lie beside recordings. Whatever else is found may be a recording: only its bytes can tell, and one
that nobody looks at is one that is lost."""
OTHER_NAMES = frozenset({"authors", "changelog", "copying", "licence", "license", "makefile", "notice", "readme"})
_MARKS = ("ETag", "etag", "md5Hash", "content_md5", "checksum", "mtime", "LastModified", "last_modified", "updated")


@dataclass(frozen=True, slots=True)
class Listing:
    """What an archive holds."""

    objects: list[SourceObject]
    """Recordings by the look of their names, sorted by source."""
    n_ignored: int
    """Visible files that are something else by their names."""
    problems: list[RecordingError]
    """Names and folders that could not be listed: each is one failure to report."""


@dataclass(slots=True)
class _Found:
    objects: list[SourceObject]
    problems: list[RecordingError]
    n_ignored: int = 0

    def add(self, source: str, size_bytes: int, mark: str) -> None:
        if not is_media(source):
            self.n_ignored += 1
        elif not _is_text(source):
            shown = source.encode("utf-8", "backslashreplace").decode()
            self.problems.append(UnreachableAudio(shown, "its name is not valid UTF-8", "rename the file"))
        else:
            self.objects.append(SourceObject(source=source, size_bytes=size_bytes, mark=mark))

    def listing(self) -> Listing:
        return Listing(sorted(self.objects, key=attrgetter("source")), self.n_ignored, sorted(self.problems, key=str))


def discover(archive: str) -> Listing:
    """Return what an archive holds: a folder, a bucket or a single recording, as path or fsspec URL.

    Hidden files and folders (a name that begins with a dot) are skipped. Of symbolic links, those to files inside
    the archive count; links to folders are not followed (their files are listed where they are), and whatever
    leaves the archive is a problem.

    Raises:
        ConfigError: there is no such archive, its protocol is not installed, or credentials are missing or wrong.
        StoreUnreachable: the archive does not answer at the moment.
        StorageError: it may not be listed.
    """
    location = locate(archive)
    try:
        with plain_errors(archive):
            return _scan_local(location.path) if location.is_local else _scan_remote(archive, *location)
    except FileNotFoundError as cause:
        raise _no_such_archive(archive) from cause
    except OSError as cause:
        kind = StoreUnreachable if is_transient(cause) else StorageError
        raise kind(archive, f"cannot be listed ({cause})", "check the address and the permissions") from cause


def is_media(name: str) -> bool:
    """Return whether a name may be a recording's: it does not end like that of anything else."""
    stem, suffix = os.path.splitext(name.lower())  # noqa: PTH122 - ten thousand times per listing
    return suffix not in OTHER_SUFFIXES if suffix else stem.rpartition("/")[2] not in OTHER_NAMES


def _no_such_archive(archive: str) -> ConfigError:
    return ConfigError(archive, "there is no such archive", "give a folder, a bucket or a recording that exists")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _scan_local(root: str) -> Listing:
    found = _Found([], [])
    if not os.path.isdir(root):  # noqa: PTH112
        status = os.stat(root)  # noqa: PTH116
        found.add(os.path.basename(root), status.st_size, str(status.st_mtime_ns))  # noqa: PTH119
        return found.listing()
    real_root = os.path.realpath(root)
    with os.scandir(root):
        pass  # a root that cannot be read ends the run; a folder below it does not
    folders = [("", root)]
    while folders:
        prefix, folder = folders.pop()
        for entry in _entries(folder, prefix, found):
            if entry.is_dir(follow_symlinks=False):
                folders.append((f"{prefix}{entry.name}/", entry.path))
            else:
                _add_local(entry, prefix, real_root, found)
    return found.listing()


def _entries(folder: str, prefix: str, found: _Found) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except OSError as cause:
        found.problems.append(UnreachableAudio(prefix, f"the folder cannot be listed ({cause.strerror})", _ALLOW))


_ALLOW = "allow reading it"


def _add_local(entry: os.DirEntry[str], prefix: str, real_root: str, found: _Found) -> None:
    source = prefix + entry.name
    try:
        if entry.is_symlink():
            if Path(os.path.realpath(entry.path)).is_relative_to(real_root):
                if entry.is_dir():
                    return
            elif is_media(source) or entry.is_dir():
                found.problems.append(
                    UnsafeMedia(source, "the link leaves the archive; it was not followed", "put the file itself there")
                )
                return
        status = entry.stat()
    except OSError as cause:  # a link that leads to itself is one, too
        if is_media(source):
            found.problems.append(UnreachableAudio(source, f"cannot be read ({cause.strerror})", _ALLOW))
        return
    if stat.S_ISREG(status.st_mode):
        found.add(source, status.st_size, str(status.st_mtime_ns))
    elif is_media(source):
        found.problems.append(UnsafeMedia(source, "is a pipe, a device or a socket, no file", "put a file there"))


def _scan_remote(archive: str, fs: AbstractFileSystem, root: str) -> Listing:
    found = _Found([], [])
    root = root.rstrip("/")
    fs.invalidate_cache()  # s3fs keeps what it knew of a folder, and then does not find what it has just listed
    files: Mapping[str, Mapping[str, object]] = fs.find(root, detail=True)
    if not files and not fs.exists(root):
        raise _no_such_archive(archive)
    for path, info in files.items():
        source = path.removeprefix(root).lstrip("/") or path.rpartition("/")[2]
        if not any(part.startswith(".") for part in source.split("/")):
            found.add(source, int(str(info.get("size") or 0)), _mark(info))
    return found.listing()


def _mark(info: Mapping[str, object]) -> str:
    for name in (*_MARKS, "created"):
        value = info.get(name)
        if value:
            return value.isoformat() if isinstance(value, datetime) else str(value).strip('"')
    return ""
