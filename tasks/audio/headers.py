"""What a container's header claims of a recording, checked for what no recording has."""

from __future__ import annotations

import re

from av.audio.stream import AudioStream
from av.container import InputContainer

from storage.errors import AbsurdAudio
from storage.records import MediaHeader
from tasks.audio.media import HEAD_BYTES, Media

MAX_CHANNELS = 64
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000
MAX_DURATION_MS = 31 * 24 * 3_600_000
_WITHOUT_LENGTH = frozenset(
    {"aac", "ac3", "amr", "amrnb", "amrwb", "dts", "eac3", "gsm", "loas", "mp3", "mpeg", "mpegts"}
)
_SIZED = frozenset({"wav"})
"""Where libav takes the length from the size of the file and not from the header."""
_SIZE_SLACK = 1 << 16
_ESTIMATE_TOLERANCE = 0.02
_MAX_TEXT = 500
_ISO_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)?)?\Z")
_UNSET_DATES = ("1904-01-01", "1970-01-01")
_LISTEN = "listen to it, and convert it to FLAC if it is sound"


def read_header(media: Media, stream: AudioStream) -> MediaHeader:
    """Return what the container claims, checked for what no recording has.

    Raises:
        AbsurdAudio: rate, channel count or duration is impossible.
    """
    container = media.container
    metadata = {key.lower(): value for key, value in {**stream.metadata, **container.metadata}.items()}
    header = MediaHeader(
        duration_ms=_duration_ms(container, stream),
        sample_rate_hz=stream.codec_context.sample_rate,
        n_channels=stream.codec_context.channels,
        codec=stream.codec_context.codec.canonical_name,
        container=container.format.name.partition(",")[0],
        title=_text(metadata.get("title")),
        recorded_at=_date(metadata),
    )
    _check(header, media.subject)
    return header


def states_no_length(media: Media) -> bool:
    """Return whether files of this format do not say how long they are, so that libav estimates it from the rest."""
    return media.container.format.name in _WITHOUT_LENGTH


def stated_duration_ms(media: Media, stream: AudioStream) -> int | None:
    """Return the duration that a header states; None where libav only estimates it from size and bit rate."""
    duration_ms = _duration_ms(media.container, stream)
    size_bytes = media.reader.size_bytes
    if duration_ms is None:
        return None
    if media.container.format.name in _SIZED:
        media.reader.seek(0)
        stated_bytes = _stated_bytes(media.reader.read(HEAD_BYTES))
        return duration_ms if stated_bytes is None else max(duration_ms, duration_ms * stated_bytes // size_bytes)
    if states_no_length(media):
        estimated_bytes = duration_ms * (stream.bit_rate or media.container.bit_rate or 0) / 8000
        return None if abs(estimated_bytes - size_bytes) < _ESTIMATE_TOLERANCE * size_bytes else duration_ms
    return duration_ms


def check_rate(sample_rate_hz: int, subject: str) -> None:
    """Refuse a sampling rate that no recording has.

    Raises:
        AbsurdAudio: it is below 1 kHz or above 768 kHz.
    """
    if not MIN_RATE_HZ <= sample_rate_hz <= MAX_RATE_HZ:
        raise AbsurdAudio(subject, f"claims to have {sample_rate_hz} samples per second", _LISTEN)


def check_duration(duration_ms: int, subject: str) -> None:
    """Refuse a length that no recording has.

    Raises:
        AbsurdAudio: it is above 31 days.
    """
    if duration_ms > MAX_DURATION_MS:
        raise AbsurdAudio(subject, f"claims to last {duration_ms // 3_600_000} hours", _LISTEN)


def _stated_bytes(head: bytes) -> int | None:
    """Return the size of the whole file that a RIFF header states; None where it was written before it was known."""
    if head[:4] == b"RF64":
        return int.from_bytes(head[20:28], "little") + 8
    if head[:4] != b"RIFF":
        return None
    size_bytes = int.from_bytes(head[4:8], "little")
    is_placeholder = size_bytes == 0 or any(0 <= top - size_bytes < _SIZE_SLACK for top in (1 << 31, 1 << 32))
    return None if is_placeholder else size_bytes + 8


def _duration_ms(container: InputContainer, stream: AudioStream) -> int | None:
    if stream.duration is not None and stream.time_base is not None:
        return max(0, round(stream.duration * stream.time_base * 1000))
    return None if container.duration is None else max(0, round(container.duration / 1000))


def _check(header: MediaHeader, subject: str) -> None:
    check_rate(header.sample_rate_hz, subject)
    if not 1 <= header.n_channels <= MAX_CHANNELS:
        raise AbsurdAudio(subject, f"claims to have {header.n_channels} channels", _LISTEN)
    check_duration(header.duration_ms or 0, subject)


def _text(value: str | None) -> str | None:
    printable = "".join(char for char in value or "" if char.isprintable()).strip()
    return printable[:_MAX_TEXT] or None


def _date(metadata: dict[str, str]) -> str | None:
    for key in ("creation_time", "date", "originaldate", "date_recorded"):
        value = metadata.get(key, "").strip()
        if _ISO_DATE.match(value) and not value.startswith(_UNSET_DATES):
            return value
    return None
