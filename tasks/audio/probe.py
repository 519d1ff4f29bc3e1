"""Read what a recording's header claims."""

from __future__ import annotations

from storage.errors import RecordingError
from storage.records import MediaHeader, SourceObject
from tasks.audio.hashing import HashingReader
from tasks.audio.headers import read_header, states_no_length
from tasks.audio.media import audio_stream, open_media, open_source

_PROBE_BLOCK_BYTES = 1 << 18
_GLANCE_BYTES = 1 << 13
"""Enough for most headers; libav by itself decodes up to 5 MB to be sure, which takes ten times as long."""


def probe(archive: str, obj: SourceObject) -> MediaHeader:
    """Return the header of one recording; of a file that says no duration, an estimate from size and bit rate.

    Raises:
        RecordingError: its kind says why the recording cannot be opened.
    """
    with open_source(archive, obj.source, remote_block_bytes=_PROBE_BLOCK_BYTES) as reader:
        if header := _at_a_glance(reader, obj.source):
            return header
        reader.seek(0)
        with open_media(reader, obj.source) as media:
            return read_header(media, audio_stream(media))


def _at_a_glance(reader: HashingReader, subject: str) -> MediaHeader | None:
    """Return the header where its first bytes say all of it; whatever is wrong is found out by a longer look."""
    try:
        with open_media(reader, subject, look_bytes=_GLANCE_BYTES) as media:
            if states_no_length(media):
                return None
            header = read_header(media, audio_stream(media))
    except RecordingError:
        return None
    return header if header.duration_ms else None
