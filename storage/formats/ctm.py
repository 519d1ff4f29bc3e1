"""CTM, the words with their times: NIST's Conversation Time Mark, one word a line.

    <recording> <channel, from 1> <start> <duration> <word> [<confidence>]

Rendered from the words. Kept: name, and of each word time, channel, text and confidence, not who said it and
where an utterance ends. Names and words are escaped as ``fields`` says; a word without text is left out.
"""

from __future__ import annotations

from storage.formats.document import Document, DocumentUtterance, DocumentWord
from storage.formats.fields import (
    NOT_AVAILABLE,
    channel,
    escape,
    escape_name,
    grouped,
    ms,
    read_lines,
    score,
    seconds,
    unescape,
    unescape_name,
)
from storage.formats.single import only


def render(document: Document) -> str:
    """Return one line per word, sorted by channel and start."""
    words = (word for utterance in document.utterances for word in utterance.words if word.text.strip())
    in_order = sorted(words, key=lambda word: (word.channel, word.start_ms))
    return "".join(_line(escape_name(document.name), word) for word in in_order)


def parse(text: str) -> Document:
    """Return the one recording of a file; see ``parse_all``.

    Raises:
        MalformedText: a line is wrong, or the file is about several recordings.
    """
    return only("CTM", parse_all(text))


def parse_all(text: str) -> tuple[Document, ...]:
    """Return a document per recording, in it one utterance per channel, in order of first appearance.

    Raises:
        MalformedText: a line is wrong; says which.
    """
    words = grouped(read_lines("CTM", text, ";;", _read))
    return tuple(Document(name=name, utterances=_by_channel(group)) for name, group in words.items())


def _line(name: str, word: DocumentWord) -> str:
    onset, duration = seconds(word.start_ms), seconds(word.end_ms - word.start_ms)
    fields = [name, str(word.channel + 1), onset, duration, escape(word.text.strip()), score(word.confidence)]
    return " ".join(field for field in fields if field is not None) + "\n"


def _read(line: str) -> tuple[str, DocumentWord]:
    name, track, onset, duration, text, *confidence = line.split()
    start_ms = ms(onset)
    word = DocumentWord(
        start_ms=start_ms,
        end_ms=start_ms + ms(duration),
        text=unescape(text),
        confidence=float(confidence[0]) if confidence and confidence[0] != NOT_AVAILABLE else None,
        channel=channel(track),
    )
    return unescape_name(name) or "", word


def _by_channel(words: list[DocumentWord]) -> tuple[DocumentUtterance, ...]:
    channels = grouped((word.channel, word) for word in words)
    return tuple(
        DocumentUtterance(
            start_ms=min(word.start_ms for word in group),
            end_ms=max(word.end_ms for word in group),
            text=" ".join(word.text for word in group),
            words=tuple(group),
        )
        for group in channels.values()
    )
