"""Open media of strangers: only known containers, no second file, no network, nothing absurd.

libav gets bytes, never a name or an address. Containers that refer to others (playlists, session descriptions,
concatenation scripts) are not among the formats it may try, and whatever a permitted one still asks to open is
refused.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import av
import av.logging
from av.audio.stream import AudioStream
from av.container import InputContainer

from storage.errors import (
    AbsurdAudio,
    EmptyAudio,
    NoAudioTrack,
    RecordingError,
    UnreachableAudio,
    UnreadableAudio,
    UnsafeMedia,
)
from tasks.audio.allocation import limited_memory
from tasks.audio.hashing import BLOCK_BYTES, STORE_BYTES, HashingReader, SeekableFile
from tasks.audio.remote_file import RemoteFile
from tasks.planning.archive import locate_source

FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dss,dts,eac3,flac,flv,gsm,loas,matroska,mov,mp3,mpc,mpc8,"
    "mpeg,mpegts,mxf,nistsphere,nut,ogg,qcp,rm,sox,tta,voc,w64,wav,wv"
)
"""Demuxers that read one file and nothing else."""
REMOTE_BLOCK_BYTES = 1 << 23
"""One request for about every five minutes of MP3 or minute of WAV, which take longer to decode than to ask for."""
_REMOTE_BLOCKS = 4
"""Blocks that are kept for a demuxer that steps back or has begun at the end: never more than 32 MiB."""
HEAD_BYTES = 4096
"""Enough of a file to see what it is."""
_BUFFER_BYTES = 1 << 16

_REFERRING = (
    (rb"#EXTM3U|#EXT-X-", "an HLS playlist"),
    (rb"ffconcat version|file\s+['\"]?\S+", "a concatenation script"),
    (rb"(?s:<|<.*<)(?:MPD|SmoothStreamingMedia|smil|asx|playlist)[\s>]", "a streaming manifest or playlist"),
    (rb"\[playlist\]|\[Reference\]|RTSPtext|(?:https?|rtsp|rtp|mms|file|ftp|data):\S", "a list of addresses"),
    (rb"v=0\r?\n(?:.*\r?\n)*?[mo]=", "a session description (SDP)"),
)
_SUBTITLES = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:\d+\s+\d\d:\d\d:\d\d[,.]\d|WEBVTT|\[Script Info\])")


@contextmanager
def open_source(archive: str, source: str, *, remote_block_bytes: int = REMOTE_BLOCK_BYTES) -> Iterator[HashingReader]:
    """Open a recording's bytes.

    Raises:
        UnreachableAudio: it vanished, may not be read, or the network failed.
        EmptyAudio: it has no bytes.
    """
    try:
        location = locate_source(archive, source)
        if location.is_local:
            if not stat.S_ISREG(os.stat(location.path).st_mode):  # noqa: PTH116
                raise UnsafeMedia(source, "is not a file", "put a file there")
            file: SeekableFile = open(location.path, "rb", buffering=0)  # noqa: PTH123, SIM115
        else:
            file = RemoteFile(location.fs, location.path)
        size_bytes = file.seek(0, os.SEEK_END) or file.tell()
    except OSError as cause:
        raise unreachable(source, cause) from cause
    block_bytes = BLOCK_BYTES if location.is_local else remote_block_bytes
    store_bytes = max(STORE_BYTES, _REMOTE_BLOCKS * block_bytes)
    with closing(HashingReader(file, size_bytes, block_bytes=block_bytes, store_bytes=store_bytes)) as reader:
        if size_bytes == 0:
            raise EmptyAudio(source, "the file has no bytes", "copy it again from where it came from")
        yield reader


@dataclass(frozen=True, slots=True)
class Media:
    """An open container, and what is needed to say why reading it failed."""

    container: InputContainer
    reader: HashingReader
    subject: str
    refused: list[str]
    """Addresses that it wanted to open."""

    def explain(self, cause: Exception) -> RecordingError:
        """Return libav's error in an archivist's words."""
        return _explain(cause, self.reader, self.subject, self.refused)


@contextmanager
def open_media(reader: HashingReader, subject: str, *, look_bytes: int | None = None) -> Iterator[Media]:
    """Open a container for reading, safely.

    Args:
        reader: Its bytes.
        subject: How errors call it.
        look_bytes: How far libav may read on to find out what is in it; None for as far as it likes.

    Raises:
        UnsafeMedia: it refers to other files or addresses; nothing was opened.
        AbsurdAudio: it claims to hold more than fits into memory.
        UnreadableAudio: the bytes are no media.
        UnreachableAudio: reading the bytes failed.
    """
    if av.logging.get_level() is None:
        av.logging.set_level(av.logging.PANIC)  # prints nothing, but errors then carry libav's own words
    refused: list[str] = []

    def refuse(url: str, _flags: int, _options: object) -> None:
        refused.append(url)
        raise PermissionError(url)

    try:
        with limited_memory():
            container = av.open(
                reader,
                mode="r",
                options={
                    "format_whitelist": FORMATS,
                    "protocol_whitelist": "none",
                    **({"probesize": str(look_bytes)} if look_bytes else {}),
                },
                metadata_errors="replace",
                buffer_size=_BUFFER_BYTES,
                io_open=refuse,
            )
    except (av.FFmpegError, OSError, ValueError, MemoryError) as cause:
        raise _explain(cause, reader, subject, refused) from cause
    with container:
        yield Media(container, reader, subject, refused)


def audio_stream(media: Media) -> AudioStream:
    """Return the audio track to hear: the one marked default, else the first that can be decoded.

    Raises:
        NoAudioTrack: there is none.
        UnreadableAudio: there is one, in a codec that this libav does not know.
    """
    container, subject = media.container, media.subject
    streams = list(container.streams.audio)
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise NoAudioTrack(
            subject, f"has no audio track, only {kinds}", "leave it out, or look for its sound elsewhere"
        )
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise UnreadableAudio(subject, "its codec is unknown", "convert it to FLAC, Opus or MP3")
    return next((stream for stream in decodable if _is_default(stream)), decodable[0])


def unreachable(subject: str, cause: OSError) -> UnreachableAudio:
    """Return the error for bytes that cannot be had, by its kind."""
    if isinstance(cause, FileNotFoundError):
        return UnreachableAudio(subject, "is not there any more", "run again to list the archive anew")
    if isinstance(cause, PermissionError):
        return UnreachableAudio(subject, "may not be read (permission denied)", "allow reading it, then run again")
    return UnreachableAudio(subject, f"cannot be read ({cause})", "check the storage or the network, then run again")


_COPY_AGAIN = "play it to see whether it is damaged, and copy it again from where it came from"


def _explain(cause: Exception, reader: HashingReader, subject: str, refused: list[str]) -> RecordingError:
    if refused:
        return _unsafe(subject, "it refers to another file or address")
    if reader.error:
        return unreachable(subject, reader.error)
    if isinstance(cause, MemoryError):
        return AbsurdAudio(subject, "claims to hold more than any recording does", _COPY_AGAIN)
    if not isinstance(cause, av.FFmpegError):
        return UnreadableAudio(subject, f"cannot be decoded ({cause})", _COPY_AGAIN)
    try:
        reader.seek(0)
        head = reader.read(HEAD_BYTES)
    except OSError as error:
        return unreachable(subject, error)
    return _refusal(subject, head, _words(cause))


def _unsafe(subject: str, what: str) -> UnsafeMedia:
    return UnsafeMedia(subject, f"{what}; nothing was followed", "put the recordings themselves into the archive")


def _refusal(subject: str, head: bytes, words: str) -> RecordingError:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if _SUBTITLES.match(head):
        return UnreadableAudio(subject, "is a subtitle file, not audio", "leave it out")
    if b"\0" not in head:
        for pattern, what in _REFERRING:
            if re.match(pattern, text, re.IGNORECASE):
                return _unsafe(subject, f"is {what}, not a recording")
    if not head.strip(b"\0"):
        return UnreadableAudio(subject, "begins with nothing but zeros", _COPY_AGAIN)
    return UnreadableAudio(subject, f"is no audio that can be decoded ({words})", _COPY_AGAIN)


def _words(cause: av.FFmpegError) -> str:
    log: Any = cause.log  # PyAV's own types say something else than what it gives
    if log is None:
        return str(cause.strerror).lower()
    _level, name, message = log
    return f"it looks like {name!r}, no format of recordings" if "not on whitelist" in message else message.strip()


def _is_default(stream: AudioStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.default)
