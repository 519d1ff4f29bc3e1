"""Long recordings to measure with: the speech of ``samples/`` over and over, in any codec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from storage.records import SAMPLE_RATE_HZ
from tasks.audio.decode import open_recording

Pcm = NDArray[np.int16]

SAMPLES = Path(__file__).parents[1] / "samples" / "archive"
_SPOKEN = (
    "interviews/mill-house.flac",
    "memoirs/garden-letters.flac",
    "interviews/long-pause.opus",
    "meetings/bridge-meeting.opus",
)
_BLOCK_S = 10


class Encoding(NamedTuple):
    """How a recording is written."""

    suffix: str
    codec: str
    rate_hz: int
    layout: str


ENCODINGS = (
    Encoding(".mp3", "libmp3lame", 44_100, "stereo"),
    Encoding(".m4a", "aac", 44_100, "stereo"),
    Encoding(".opus", "libopus", 48_000, "mono"),
    Encoding(".flac", "flac", 44_100, "mono"),
    Encoding(".wav", "pcm_s16le", 44_100, "mono"),
)


def sample_speech() -> Pcm:
    """Return four of the sample recordings, one after the other, mono at 16 kHz."""
    blocks = []
    for source in _SPOKEN:
        with open_recording(str(SAMPLES), source) as reader:
            blocks += [block.mean(axis=0) for block in reader.blocks()]
    return (np.concatenate(blocks) * 32_767).astype(np.int16)


def repeated(speech: Pcm, seconds: float) -> Iterator[Pcm]:
    """Yield the speech in blocks, over and over, until it has lasted so long."""
    n, at, block = round(seconds * SAMPLE_RATE_HZ), 0, _BLOCK_S * SAMPLE_RATE_HZ
    while at < n:
        yield np.take(speech, np.arange(at, min(at + block, n)), mode="wrap")
        at += block


def write_recording(path: Path, blocks: Iterable[Pcm], encoding: Encoding) -> None:
    """Encode mono blocks at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoding.codec, rate=encoding.rate_hz, layout=encoding.layout)
        size = stream.codec_context.frame_size or 4096
        resampler = av.AudioResampler(stream.codec_context.format, encoding.layout, encoding.rate_hz, size)
        position = 0
        for block in blocks:
            frame = av.AudioFrame.from_ndarray(block[None], format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE_HZ
            for converted in resampler.resample(frame):
                position = _encode(container, stream, converted, position)
        for converted in resampler.resample(None):
            position = _encode(container, stream, converted, position)
        container.mux(stream.encode(None))


def _encode(
    container: av.container.OutputContainer, stream: av.AudioStream, frame: av.AudioFrame, position: int
) -> int:
    frame.pts = position
    container.mux(stream.encode(frame))
    return position + frame.samples
