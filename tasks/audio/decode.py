"""Decode a recording once, as a stream of 16 kHz blocks, and take its identity in the same pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av
from av import AudioFrame, Packet
from av.audio.stream import AudioStream
from av.stream import Discard

from storage.errors import EmptyAudio, RecordingError, TruncatedAudio
from storage.records import SAMPLE_RATE_HZ, SAMPLES_PER_MS, FloatArray, MediaHeader
from tasks.audio.hashing import HashingReader
from tasks.audio.headers import check_duration, check_rate, read_header, stated_duration_ms
from tasks.audio.media import Media, audio_stream, open_media, open_source
from tasks.audio.resampling import BlockResampler

_MAX_BAD_READS = 100
"""Damaged places in a container after which reading on is given up."""
_GAP_S = 0.1
"""A hole in the timestamps longer than this becomes silence; shorter ones are jitter."""
_MAX_SILENCE_S = 24 * 3600.0
"""All that holes in the timestamps may add to a recording: two numbers in a file of a kilobyte can claim a month."""
_GAPLESS = frozenset({"aiff", "ape", "au", "caf", "flac", "tta", "w64", "wav", "wv"})
"""Containers whose timestamps count samples: a hole in them is damage, not a pause."""
_LOST_MS = 1000
_LOST_SHARE = 0.01


class _Clock:
    """Compares the timestamps of frames with the samples that came before them."""

    def __init__(self, start_s: float | None, limit_s: float) -> None:
        """Start at the container's first timestamp; silence is never put in beyond ``limit_s``."""
        self._start_s = start_s
        self._limit_s = limit_s
        self._position_s = 0.0
        self._silence_s = 0.0
        self.n_unbelieved = 0
        """Holes that were not filled, because there was too much silence already."""

    def gap_end(self, frame: AudioFrame) -> int | None:
        """Return the output sample at which a frame belongs, if that is later than where it would come."""
        if frame.time is None:
            return None
        start_s = frame.time if self._start_s is None else self._start_s
        frame_s = frame.time - start_s
        ahead_s = frame_s - self._position_s
        is_hole = ahead_s > _GAP_S and frame_s <= self._limit_s
        is_gap = is_hole and self._silence_s + ahead_s <= _MAX_SILENCE_S
        self.n_unbelieved += is_hole and not is_gap
        if is_gap:
            self._silence_s += ahead_s
            self._position_s = frame_s
        elif abs(ahead_s) > _GAP_S:
            start_s += ahead_s  # the timestamps jumped; what follows is measured from here
        self._start_s = start_s
        return round(frame_s * SAMPLE_RATE_HZ) if is_gap else None

    def count(self, frame: AudioFrame) -> None:
        """Move on by a frame."""
        self._position_s += frame.samples / frame.sample_rate


class RecordingReader:
    """A recording being read; made by ``open_recording``."""

    def __init__(self, media: Media, stream: AudioStream, header: MediaHeader) -> None:
        """Start before the first sample."""
        self.header = header
        """What the container claims."""
        self.problem: RecordingError | None = None
        """Once the blocks are exhausted: what was wrong with a recording of which something could be decoded."""
        self._media = media
        self._stream = stream
        self._n_damaged = 0

    def blocks(self) -> Iterator[FloatArray]:
        """Yield all samples once, in blocks of shape ``(n_channels, n)``, float32 at 16 kHz, n up to 2 s.

        Up to 8 channels stay apart, more are mixed to one. Time follows the container's clock: where frames are
        missing there is silence, so that what comes after keeps its place. Damaged packets are left out; when the
        rest was decoded, ``problem`` says so.

        Raises:
            EmptyAudio: there is no sample in it.
            AbsurdAudio: it goes on for longer than any recording.
            UnreadableAudio: nothing can be decoded.
            UnsafeMedia: it refers to other files.
            UnreachableAudio: reading stopped half-way.
        """
        resampler = BlockResampler(self.header.n_channels)
        clock = _Clock(*self._time_range())
        for frame in self._frames():
            until_sample = clock.gap_end(frame)
            if until_sample is not None:
                self._n_damaged += self._media.container.format.name in _GAPLESS
                yield from resampler.silence(until_sample)
            clock.count(frame)
            yield from resampler.push(frame)
            check_duration(resampler.n_samples // SAMPLES_PER_MS, self._media.subject)
        yield from resampler.flush()
        self._n_damaged += clock.n_unbelieved
        self.problem = self._judge(resampler.n_samples // SAMPLES_PER_MS)

    def recording_id(self) -> str:
        """Return the identity of the bytes, reading those that nobody has read yet.

        Raises:
            UnreachableAudio: reading the bytes failed.
        """
        try:
            return self._media.reader.digest()
        except OSError as cause:
            raise self._media.explain(cause) from cause

    def _time_range(self) -> tuple[float | None, float]:
        start, duration = self._media.container.start_time, self._media.container.duration
        return None if start is None else start / av.time_base, (duration or 0) / av.time_base + 1

    def _frames(self) -> Iterator[AudioFrame]:
        error: av.FFmpegError | None = None
        n_bad = n_frames = 0
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError as cause:
                error = cause
                n_bad += 1
                continue
            if frames:
                self._n_damaged += n_bad if n_frames else 0
                n_bad = 0
            for frame in frames:
                check_rate(frame.sample_rate, self._media.subject)
                yield frame
            n_frames += len(frames)
        if error and not n_frames:
            raise self._media.explain(error) from error

    def _packets(self) -> Iterator[Packet[AudioStream]]:
        for _ in range(_MAX_BAD_READS):
            try:
                yield from self._media.container.demux(self._stream)
            except (av.FFmpegError, OSError) as cause:
                if self._media.reader.error or self._media.refused:
                    raise self._media.explain(cause) from cause
                self._n_damaged += 1
            else:
                break
        if self._media.reader.error:
            raise self._media.explain(self._media.reader.error)

    def _judge(self, decoded_ms: int) -> RecordingError | None:
        subject = self._media.subject
        if not decoded_ms:
            raise EmptyAudio(subject, self._why_empty(), "copy it again from where it came from")
        stated_ms = stated_duration_ms(self._media, self._stream)
        if stated_ms is not None and stated_ms - decoded_ms > max(_LOST_MS, _LOST_SHARE * stated_ms):
            what = f"gives {_clock_time(decoded_ms)} of sound, though its header says {_clock_time(stated_ms)}"
        elif self._n_damaged:
            what = f"is damaged in {self._n_damaged} places, which were left out"
        else:
            return None
        return TruncatedAudio(
            subject, what, "what could be decoded is kept; copy the file again if there is a better one"
        )

    def _why_empty(self) -> str:
        if self._media.container.format.name.startswith("mov") and self.header.duration_ms:
            return "it has no sound of its own: it was cut off, or is a reference movie whose sound is in another file"
        return "it has a header, but no sound"


def _clock_time(ms: int) -> str:
    seconds = ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


@contextmanager
def open_recording(archive: str, source: str) -> Iterator[RecordingReader]:
    """Open one recording of an archive for reading.

    Raises:
        RecordingError: its kind says why it cannot be opened.
    """
    with open_source(archive, source) as reader, read_recording(reader, source) as recording:
        yield recording


@contextmanager
def read_recording(reader: HashingReader, source: str) -> Iterator[RecordingReader]:
    """Open one recording whose bytes are open already; the bytes' identity outlives a failure.

    Raises:
        RecordingError: its kind says why it cannot be opened.
    """
    with open_media(reader, source) as media:
        stream = audio_stream(media)
        stream.codec_context.thread_count = 1  # several recordings are decoded at once, one per worker
        for other in media.container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        header = read_header(media, stream)
        yield RecordingReader(media, stream, header)
