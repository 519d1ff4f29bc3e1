"""JSON: the whole document and nothing else; the only format that loses nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from storage.formats.document import Document, DocumentTurn, DocumentUtterance, DocumentWord, MalformedText

VERSION = 1
"""Raised when a field changes its meaning or goes."""


def render(document: Document) -> str:
    """Return one JSON object with the fields of ``Document``, and the version of their meaning."""
    return json.dumps({"version": VERSION, **asdict(document)}, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def parse(text: str) -> Document:
    """Return the document; ``parse(render(document)) == document``.

    Raises:
        MalformedText: no JSON, another version, or fields that are missing, unknown or impossible.
    """
    try:
        fields = json.loads(text)
        version = fields.pop("version")
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise MalformedText("JSON document", f"not a document ({cause!r})") from cause
    if version != VERSION:
        raise MalformedText("JSON document", f"version {version!r}, this is version {VERSION}", "export it again")
    try:
        return _document(fields)
    except (ValueError, KeyError, TypeError) as cause:
        raise MalformedText("JSON document", f"wrong fields ({cause})", "export it again") from cause


def _document(fields: dict[str, Any]) -> Document:
    utterances = tuple(_utterance(item) for item in fields.pop("utterances"))
    turns = tuple(DocumentTurn(**item) for item in fields.pop("turns"))
    return Document(utterances=utterances, turns=turns, **fields)


def _utterance(fields: dict[str, Any]) -> DocumentUtterance:
    words = tuple(DocumentWord(**item) for item in fields.pop("words"))
    return DocumentUtterance(words=words, flags=tuple(fields.pop("flags")), **fields)
