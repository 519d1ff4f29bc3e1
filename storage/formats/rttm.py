"""RTTM, who speaks when: NIST's Rich Transcription Time Marked, ten fields a line.

    SPEAKER <recording> <channel, from 1> <start> <duration> <NA> <NA> <speaker> <confidence or NA> <NA>

Rendered from the turns. Kept: name, turns. Names are escaped as ``fields`` says.
"""

from __future__ import annotations

from storage.formats.document import Document, DocumentTurn
from storage.formats.fields import (
    NOT_AVAILABLE,
    channel,
    escape_name,
    grouped,
    ms,
    read_lines,
    score,
    seconds,
    unescape_name,
)
from storage.formats.single import only


def render(document: Document) -> str:
    """Return one line per turn, sorted by channel, start and end."""
    turns = sorted(document.turns, key=lambda turn: (turn.channel, turn.start_ms, turn.end_ms))
    return "".join(_line(escape_name(document.name), turn) for turn in turns)


def parse(text: str) -> Document:
    """Return the one recording of a file; see ``parse_all``.

    Raises:
        MalformedText: a line is wrong, or the file is about several recordings.
    """
    return only("RTTM", parse_all(text))


def parse_all(text: str) -> tuple[Document, ...]:
    """Return a document per recording, in order of first appearance; lines other than SPEAKER are skipped.

    Raises:
        MalformedText: a line is wrong; says which.
    """
    lines = read_lines("RTTM", text, ";", _read)
    turns = grouped(line for line in lines if line is not None)
    return tuple(Document(name=name, turns=tuple(group)) for name, group in turns.items())


def _line(name: str, turn: DocumentTurn) -> str:
    onset, duration = seconds(turn.start_ms), seconds(turn.end_ms - turn.start_ms)
    speaker, confidence = escape_name(turn.speaker), score(turn.confidence) or NOT_AVAILABLE
    return f"SPEAKER {name} {turn.channel + 1} {onset} {duration} <NA> <NA> {speaker} {confidence} <NA>\n"


def _read(line: str) -> tuple[str, DocumentTurn] | None:
    kind, *fields = line.split()
    if kind != "SPEAKER":
        return None
    if len(fields) not in {8, 9}:  # the oldest files have no last field
        message = f"{len(fields) + 1} fields instead of 10"
        raise ValueError(message)
    name, track, onset, duration, _, _, speaker, confidence = fields[:8]
    start_ms = ms(onset)
    turn = DocumentTurn(
        start_ms=start_ms,
        end_ms=start_ms + ms(duration),
        speaker=unescape_name(speaker),
        channel=channel(track),
        confidence=None if confidence == NOT_AVAILABLE else float(confidence),
    )
    return unescape_name(name) or "", turn
