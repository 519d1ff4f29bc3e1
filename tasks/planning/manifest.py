"""Read what an archivist says about the recordings: one row per source, as CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import io
import json
import logging
import posixpath
import re
from collections.abc import Callable, Container, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import date, datetime
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import ManifestInvalid, StoreUnreachable
from storage.filesystems import plain_errors
from storage.records import ChannelMode, SourceHints, SpeakerBounds
from tasks.planning.archive import Location, is_file, locate
from tasks.wording import counted

DEFAULT_NAME = "manifest.csv"
COLUMNS = frozenset(
    {
        "source",
        "language",
        "speakers",
        "min_speakers",
        "max_speakers",
        "channel_mode",
        "collection",
        "title",
        "recorded_at",
    }
)

_MOST_ROWS = 10_000_000
_ROWS_AT_ONCE = 256
_MOST_CHARACTERS = 100_000

log = logging.getLogger(__name__)

Row = Mapping[str, object]
_SPEAKERS = re.compile(r"(\d{1,4})(?:\s*[-\u2013]\s*(\d{1,4}))?\Z")
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]{2,8})*\Z")
_FORMATS = "save it as CSV with a header line, as JSON lines or as Parquet"


def find_manifest(archive: str) -> str | None:
    """Return the address of ``manifest.csv`` at an archive's root, or None where there is none.

    Raises:
        ManifestInvalid: nobody may look there.
        StoreUnreachable: the archive does not answer at the moment.
    """
    fs, root = locate(archive)
    url = f"{archive.rstrip('/')}/{DEFAULT_NAME}"
    with _reading(url):
        return url if is_file(Location(fs, f"{root.rstrip('/')}/{DEFAULT_NAME}")) else None


def read_manifest(url: str, listed: AbstractSet[str] | None = None) -> dict[str, SourceHints]:
    """Return the hints by source; an empty field says nothing, and so does a source without a row.

    Columns: ``source`` (relative to the archive, '/'-separated), ``language``, ``speakers`` ("3" or "2-4") or
    ``min_speakers`` and ``max_speakers``, ``channel_mode`` (auto, mix, split), ``collection``, ``title``,
    ``recorded_at`` (ISO 8601). Others are ignored, with a warning.

    Args:
        url: Where the file is.
        listed: The sources that the archive holds, where they are known: see ``source_at``; what is described and not
            there is told in a warning.

    Raises:
        ManifestInvalid: the file cannot be read, or a row contradicts itself or an earlier one, or leaves the
            archive; the message names the line.
        StoreUnreachable: its storage does not answer at the moment.
    """
    hints: dict[str, SourceHints] = {}
    unknown: set[str] = set()
    for where, row in _rows(url):
        unknown |= row.keys() - COLUMNS
        try:
            path = _text(row.get("source"))
            if path is None:
                raise ValueError("it names no source")  # noqa: TRY301 - one place adds the line
            source = source_at(path, listed or ())
            if source in hints:
                raise ValueError(f"{source!r} was described before")  # noqa: TRY301
            hints[source] = _hints(row)
        except ValueError as cause:
            raise ManifestInvalid(url, f"{where}: {cause}", "correct that row") from cause
    if unknown:
        log.warning("%s: ignored the columns %s", url, ", ".join(sorted(unknown)))
    if missing := [] if listed is None else sorted(hints.keys() - listed):
        rows = counted(len(missing), "row")
        log.warning("%s: %s without a recording in the archive, the first for %r", url, rows, missing[0])
    return hints


def source_at(path: str, listed: Container[str]) -> str:
    """Return the source that a path stands for, however it is written: ``./a.wav`` and ``x/../a.wav`` are ``a.wav``.

    A path that the listing has as it is stands for itself: to an object store ``a//b.wav`` is another name than
    ``a/b.wav``.

    Raises:
        ValueError: it leads out of the archive, or to no recording in it.
    """
    if path in listed:
        return path
    source = posixpath.normpath(path)
    if source == "." or source.startswith("/") or source.split("/", 1)[0] == "..":
        raise ValueError(f"source {path!r} is no path of a recording below the archive")
    return source


def _rows(url: str) -> Iterator[tuple[str, Row]]:
    location = locate(url)
    with _reading(url):
        content: bytes = location.fs.cat_file(location.path)
    read = _reader(location)
    try:
        yield from read(content)
    except (ValueError, OSError, RecursionError, csv.Error, pa.ArrowException) as cause:
        raise ManifestInvalid(url, f"cannot be understood ({cause})", _FORMATS) from cause
    except _WrongShape as cause:
        raise ManifestInvalid(url, str(cause), _FORMATS) from cause


@contextmanager
def _reading(url: str) -> Iterator[None]:
    try:
        with plain_errors(url):
            yield
    except (ConnectionError, TimeoutError) as cause:
        raise StoreUnreachable(url, str(cause), "run again") from cause
    except OSError as cause:
        raise ManifestInvalid(url, f"cannot be read ({cause})", "check the path and the permissions") from cause


class _WrongShape(Exception):
    """The file is readable, but no table of sources."""


def _reader(location: Location) -> Callable[[bytes], Iterator[tuple[str, Row]]]:
    suffix = location.path.rpartition(".")[2].lower()
    return {"jsonl": _read_jsonl, "ndjson": _read_jsonl, "parquet": _read_parquet}.get(suffix, _read_csv)


def _read_csv(content: bytes) -> Iterator[tuple[str, Row]]:
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    names = [name.strip() for name in reader.fieldnames or []]
    _require_source(names)
    reader.fieldnames = names
    for row in reader:
        if None in row or None in row.values():
            raise _WrongShape(f"line {reader.line_num}: it has not as many fields as the header")
        yield f"line {reader.line_num}", row


def _read_jsonl(content: bytes) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(content.decode("utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as cause:
            raise _WrongShape(f"line {number}: it is not JSON ({cause.msg})") from cause
        if not isinstance(row, dict):
            raise _WrongShape(f"line {number}: it is not an object in braces")
        yield f"line {number}", row


def _read_parquet(content: bytes) -> Iterator[tuple[str, Row]]:
    file = pq.ParquetFile(pa.BufferReader(content))
    _require_source(file.schema_arrow.names)
    if file.metadata.num_rows > _MOST_ROWS:  # a few bytes can stand for as many as one likes
        raise _WrongShape(f"it has {file.metadata.num_rows} rows; {_MOST_ROWS} are the most")
    rows = (row for batch in file.iter_batches(_ROWS_AT_ONCE) for row in batch.to_pylist())
    for number, row in enumerate(rows, start=1):
        yield f"row {number}", row


def _require_source(names: list[str]) -> None:
    if "source" not in names:
        raise _WrongShape(f"there is no column 'source', only {', '.join(map(repr, names)) or 'an empty file'}")


def _hints(row: Row) -> SourceHints:
    return SourceHints(
        language=_language(row),
        speakers=_speakers(row),
        channel_mode=_channel_mode(row),
        collection=_text(row.get("collection")),
        title=_text(row.get("title")),
        recorded_at=_instant(row),
    )


def _text(value: object) -> str | None:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a spreadsheet's 3.0
    if value is None or isinstance(value, (dict, list)) or value != value:  # noqa: PLR0124 - NaN is an empty cell
        return None
    text = str(value).strip()
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"a field has {len(text)} characters; {_MOST_CHARACTERS} are the most")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{text[:40]!r} is half a character, no text")
    return text or None


def _language(row: Row) -> str | None:
    text = _text(row.get("language"))
    if text is None:
        return None
    match = _LANGUAGE.match(text.lower())
    if not match:
        raise ValueError(f"language {text!r} is no ISO 639 code such as 'en'")
    return match[1]


def _speakers(row: Row) -> SpeakerBounds:
    text, low, high = (_text(row.get(name)) for name in ("speakers", "min_speakers", "max_speakers"))
    if text is None:
        return SpeakerBounds(min_speakers=_count(low), max_speakers=_count(high))
    if low or high:
        raise ValueError("it has both speakers and min_speakers or max_speakers")
    match = _SPEAKERS.match(text)
    if not match:
        raise ValueError(f"speakers {text!r} is neither a number nor a range such as '2-4'")
    return SpeakerBounds(min_speakers=int(match[1]), max_speakers=int(match[2] or match[1]))


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    if not _SPEAKERS.match(text) or not text.isdigit():
        raise ValueError(f"{text!r} is not a number of speakers")
    return int(text)


def _channel_mode(row: Row) -> ChannelMode | None:
    text = _text(row.get("channel_mode"))
    modes: tuple[ChannelMode, ...] = get_args(ChannelMode)
    for mode in modes:
        if text is not None and text.lower() == mode:
            return mode
    if text is not None:
        raise ValueError(f"channel_mode {text!r} is none of {', '.join(modes)}")
    return None


def _instant(row: Row) -> str | None:
    text = _text(row.get("recorded_at"))
    if text is None or re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2]))?", text):
        return text
    try:
        datetime.fromisoformat(text)
    except ValueError as cause:
        raise ValueError(f"recorded_at {text!r} is no ISO 8601 date such as 1998-05-31") from cause
    return text
