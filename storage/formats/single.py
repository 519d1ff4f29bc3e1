"""Formats whose files may be about several recordings, read as one."""

from __future__ import annotations

from storage.formats.document import Document, MalformedText


def only(format_name: str, documents: tuple[Document, ...]) -> Document:
    """Return the only document, or an empty one if there is none.

    Raises:
        MalformedText: there are several.
    """
    if len(documents) > 1:
        names = ", ".join(document.name for document in documents[:3])
        raise MalformedText(format_name, f"about {len(documents)} recordings ({names} …)", "read it with parse_all")
    return documents[0] if documents else Document()
