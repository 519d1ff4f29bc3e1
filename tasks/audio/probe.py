"""Read what a recording's header claims."""

from __future__ import annotations

from storage.records import MediaHeader, SourceObject
from tasks.audio.headers import read_header
from tasks.audio.media import audio_stream, open_media, open_source

_PROBE_BLOCK_BYTES = 1 << 18


def probe(archive: str, obj: SourceObject) -> MediaHeader:
    """Return the header of one recording; of a file that says no duration, an estimate from size and bit rate.

    Raises:
        RecordingError: its kind says why the recording cannot be opened.
    """
    with (
        open_source(archive, obj.source, remote_block_bytes=_PROBE_BLOCK_BYTES) as reader,
        open_media(reader, obj.source) as media,
    ):
        return read_header(media, audio_stream(media))
