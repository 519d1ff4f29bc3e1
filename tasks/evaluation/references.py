"""References read: who talks when (RTTM) and who says what (STM, SegLST, CTM), from a file or all files of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from storage.addresses import absolute_url, public_url
from storage.errors import ConfigError
from storage.formats import ctm, rttm, seglst, stm, uem
from storage.formats.document import Document, DocumentTurn, DocumentUtterance, MalformedText
from storage.formats.fields import NOT_AVAILABLE
from storage.records import Span
from storage.store import Store

_PARSERS: Mapping[str, Callable[[str], tuple[Document, ...]]] = {
    ".rttm": rttm.parse_all,
    ".stm": stm.parse_all,
    ".seglst.json": seglst.parse_all,
    ".json": seglst.parse_all,
    ".ctm": ctm.parse_all,
}
"""By suffix; the first that fits. Of several that know a recording's words, the first counts."""
_REMEDY = "give RTTM, STM, SegLST (.json) or CTM files"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePart:
    """What one file says of one recording."""

    names: tuple[str, ...]
    """What the recording may be called: in the file and, where it is about nothing else, the file's own name."""
    path: str
    """Of the file, relative to the folder that was given."""
    suffix: str
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is known of one recording."""

    turns: tuple[DocumentTurn, ...] | None = None
    """None where nobody says who talks."""
    utterances: tuple[DocumentUtterance, ...] | None = None
    """None where the words are not known."""
    has_speakers: bool = False
    """Whether the words have speakers."""

    @property
    def end_ms(self) -> int:
        """Where the last turn or utterance ends."""
        return max((timed.end_ms for timed in (*(self.turns or ()), *(self.utterances or ()))), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceFiles:
    """All that was found under one path."""

    parts: tuple[ReferencePart, ...]
    ignored: tuple[str, ...]
    """Files that are no references by their names."""


def read_references(url: str) -> ReferenceFiles:
    """Return what a file, or all files of a folder, say of recordings.

    Raises:
        ConfigError: there is nothing, or a file is not what its name says.
        StorageError: the storage failed.
    """
    parts: list[ReferencePart] = []
    ignored = []
    store, paths = _files(url)
    for path in paths:
        suffix = next((suffix for suffix in _PARSERS if path.lower().endswith(suffix)), None)
        if suffix is None:
            ignored.append(path)
        else:
            parts += _parts(path, suffix, _text(store, path))
    if not parts:
        raise ConfigError(f"references {public_url(url)!r}", "there are none", _REMEDY)
    return ReferenceFiles(parts=tuple(parts), ignored=tuple(ignored))


def read_regions(url: str) -> dict[str, tuple[Span, ...]]:
    """Return what a UEM file wants scored, by recording.

    Raises:
        ConfigError: the file is not there, or is no UEM.
        StorageError: the storage failed.
    """
    store, (path, *more) = _files(url)
    if more:
        raise ConfigError(f"UEM {public_url(url)!r}", "is a folder", "give one file")
    try:
        return uem.parse_all(_text(store, path))
    except MalformedText as cause:
        raise ConfigError(f"UEM {path}", str(cause), "correct the line") from cause


def whole_reference(parts: Iterable[ReferencePart]) -> Reference:
    """Return what all files say of one recording together.

    Turns are those of an RTTM; without one, utterances of known speakers are taken for turns. Who has no name is called
    after the recording, for nobody knows whether it is the same person elsewhere.

    Raises:
        ConfigError: two files of one format are about the recording.
    """
    by_suffix: dict[str, ReferencePart] = {}
    for part in parts:
        other = by_suffix.setdefault(part.suffix, part)
        if other is not part:
            raise ConfigError(f"reference {part.path}", f"is about the recording of {other.path}", "keep one of them")
    texts = [by_suffix[suffix] for suffix in _PARSERS if suffix in by_suffix and suffix != ".rttm"]
    words = texts[0] if texts else None
    spoken = words.document.utterances if words else None
    has_speakers = words is not None and words.suffix != ".ctm"
    telling = by_suffix.get(".rttm") or (words if has_speakers else None)
    return Reference(turns=_turns(telling) if telling else None, utterances=spoken, has_speakers=has_speakers)


def _turns(part: ReferencePart) -> tuple[DocumentTurn, ...]:
    spans = part.document.turns if part.suffix == ".rttm" else part.document.utterances
    unknown = f"{NOT_AVAILABLE} {part.names[0]}"
    return tuple(
        DocumentTurn(start_ms=one.start_ms, end_ms=one.end_ms, speaker=one.speaker or unknown) for one in spans
    )


def _parts(path: str, suffix: str, text: str) -> list[ReferencePart]:
    try:
        documents = _PARSERS[suffix](text) or (Document(),)  # an empty file says that nobody talks
    except MalformedText as cause:
        raise ConfigError(f"reference {path}", str(cause), "correct it, or take it away") from cause
    own = (path[: -len(suffix)],) if len(documents) == 1 else ()
    return [
        ReferencePart(
            names=tuple(dict.fromkeys(filter(None, (document.name, *own)))),
            path=path,
            suffix=suffix,
            document=_word_by_word(document) if suffix == ".ctm" else document,
        )
        for document in documents
    ]


def _word_by_word(document: Document) -> Document:
    """Return a CTM's words as utterances of their own, so that each keeps its time."""
    words = sorted((word for one in document.utterances for word in one.words), key=lambda word: word.start_ms)
    return Document(
        name=document.name,
        utterances=tuple(DocumentUtterance(start_ms=w.start_ms, end_ms=w.end_ms, text=w.text) for w in words),
    )


def _files(url: str) -> tuple[Store, list[str]]:
    """Return where the files are and which there are: the one that was given, or all of a folder."""
    url = absolute_url(url)
    folder = Store(url)
    if folder.fs.isfile(folder.root):
        above, _, name = url.rpartition("/")
        return Store(above or "/"), [name]
    root = folder.root.rstrip("/")
    keys = sorted(path[len(root) + 1 :] for path in folder.fs.find(root))
    shown = [key for key in keys if not PurePosixPath(key).name.startswith(".")]
    if not shown:
        raise ConfigError(f"references {public_url(url)!r}", "there is nothing", _REMEDY)
    return folder, shown


def _text(store: Store, path: str) -> str:
    try:
        return store.read(path).decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise ConfigError(f"reference {path}", "is not UTF-8 text", "convert it") from cause
