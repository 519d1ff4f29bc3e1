"""TXT, to read and to search: one utterance a line.

    [00:01:02] Ann Lee: and then we went home

Kept: of each utterance with text its start (whole seconds), speaker, whether that is a guess, and the text.
"""

from __future__ import annotations

import re

from storage.formats.document import Document, DocumentUtterance
from storage.formats.fields import read_lines
from storage.formats.plain import clock, label, one_line, parse_clock, parse_label, with_colon, without_colon

_LINE = re.compile(r"\[([\d:]+)\] ([^:]+): (.*)")


def render(document: Document) -> str:
    """Return one line per utterance, in the document's order."""
    return "".join(_line(utterance) for utterance in document.utterances if one_line(utterance.text))


def parse(text: str) -> Document:
    """Return the utterances, each without length.

    Raises:
        MalformedText: a line has another form; says which.
    """
    return Document(utterances=tuple(read_lines("TXT", text, None, _read)))


def _line(utterance: DocumentUtterance) -> str:
    start = clock(utterance.start_ms, ".").partition(".")[0]
    speaker = without_colon(label(utterance.speaker, is_uncertain=utterance.is_uncertain))
    return f"[{start}] {speaker}: {one_line(utterance.text)}\n"


def _read(line: str) -> DocumentUtterance:
    match = _LINE.fullmatch(line.rstrip("\r"))
    if match is None:
        message = "not [hh:mm:ss] speaker: text"
        raise ValueError(message)
    start_ms = parse_clock(match[1])
    speaker, is_uncertain = parse_label(with_colon(match[2]))
    return DocumentUtterance(
        start_ms=start_ms, end_ms=start_ms, speaker=speaker, is_uncertain=is_uncertain, text=match[3]
    )
