"""SegLST, who said what as JSON: the segments of CHiME and MeetEval.

Rendered from the utterances. Kept: name, and of each utterance time, speaker, text, language, confidence and
whether the speaker is uncertain or overlapped. Names are those of RTTM and STM (escaped as ``fields`` says),
so that files of these formats can be scored against each other.
"""

from __future__ import annotations

import json
from typing import Any

from storage.formats.document import Document, DocumentUtterance, MalformedText
from storage.formats.fields import escape_name, grouped, ms, unescape_name
from storage.formats.plain import one_line
from storage.formats.single import only
from storage.records import seconds_from_ms


def render(document: Document) -> str:
    """Return a JSON list, one segment a line; keys beyond the standard's five only where there is something to say."""
    segments = [_segment(escape_name(document.name), utterance) for utterance in document.utterances]
    lines = ",\n".join(json.dumps(segment, ensure_ascii=False, allow_nan=False) for segment in segments)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def parse(text: str) -> Document:
    """Return the one recording of a file; see ``parse_all``.

    Raises:
        MalformedText: no list of segments, or several recordings.
    """
    return only("SegLST", parse_all(text))


def parse_all(text: str) -> tuple[Document, ...]:
    """Return a document per recording, in order of first appearance.

    Raises:
        MalformedText: no list of segments.
    """
    try:
        utterances = grouped([_read(segment) for segment in json.loads(text)])
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise MalformedText("SegLST", f"not a list of segments ({cause!r})") from cause
    return tuple(Document(name=name, utterances=tuple(group)) for name, group in utterances.items())


def _segment(name: str, utterance: DocumentUtterance) -> dict[str, Any]:
    said = {
        "session_id": name,
        "start_time": seconds_from_ms(utterance.start_ms),
        "end_time": seconds_from_ms(utterance.end_ms),
        "speaker": escape_name(utterance.speaker),
        "words": one_line(utterance.text),
    }
    more = {
        "language": utterance.language,
        "confidence": utterance.confidence,
        "speaker_uncertain": utterance.is_uncertain or None,
        "is_overlapped": utterance.is_overlapped or None,
    }
    return said | {key: value for key, value in more.items() if value is not None}


def _read(segment: dict[str, Any]) -> tuple[str, DocumentUtterance]:
    utterance = DocumentUtterance(
        start_ms=ms(str(segment["start_time"])),  # CHiME writes times as strings
        end_ms=ms(str(segment["end_time"])),
        speaker=unescape_name(segment["speaker"]),
        text=segment["words"],
        language=segment.get("language"),
        confidence=segment.get("confidence"),
        is_uncertain=bool(segment.get("speaker_uncertain")),
        is_overlapped=bool(segment.get("is_overlapped")),
    )
    return unescape_name(segment["session_id"]) or "", utterance
