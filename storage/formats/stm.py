"""STM, who said what: NIST's Segment Time Mark, one utterance a line, as MeetEval reads it (without labels).

    <recording> <channel, from 1> <speaker> <start> <end> <words ...>

Rendered from the utterances. Kept: name, and of each utterance time, speaker and text, white space of any kind
as one blank. Names are escaped as ``fields`` says; the text is not.
"""

from __future__ import annotations

from storage.formats.document import Document, DocumentUtterance
from storage.formats.fields import escape_name, grouped, ms, read_lines, seconds, unescape_name
from storage.formats.plain import one_line
from storage.formats.single import only


def render(document: Document) -> str:
    """Return one line per utterance, sorted by channel and start."""
    in_order = sorted(document.utterances, key=lambda utterance: (utterance.channel, utterance.start_ms))
    return "".join(_line(escape_name(document.name), utterance) for utterance in in_order)


def parse(text: str) -> Document:
    """Return the one recording of a file; see ``parse_all``.

    Raises:
        MalformedText: a line is wrong, or the file is about several recordings.
    """
    return only("STM", parse_all(text))


def parse_all(text: str) -> tuple[Document, ...]:
    """Return a document per recording, in order of first appearance.

    Raises:
        MalformedText: a line is wrong; says which.
    """
    utterances = grouped(read_lines("STM", text, ";", _read))
    return tuple(Document(name=name, utterances=tuple(group)) for name, group in utterances.items())


def _line(name: str, utterance: DocumentUtterance) -> str:
    span = f"{seconds(utterance.start_ms)} {seconds(utterance.end_ms)}"
    fields = [name, str(utterance.channel + 1), escape_name(utterance.speaker), span, one_line(utterance.text)]
    return " ".join(fields).rstrip() + "\n"


def _read(line: str) -> tuple[str, DocumentUtterance]:
    name, _channel, speaker, start, end, *words = line.split()
    utterance = DocumentUtterance(
        start_ms=ms(start), end_ms=ms(end), speaker=unescape_name(speaker), text=" ".join(words)
    )
    return unescape_name(name) or "", utterance
