"""Small media files, made with PyAV, so that tests need no fixtures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np

CODECS = {
    ".wav": "pcm_s16le",
    ".flac": "flac",
    ".mp3": "libmp3lame",
    ".ogg": "libopus",
    ".opus": "libopus",
    ".m4a": "aac",
    ".mp4": "aac",
    ".mov": "pcm_s16le",
    ".aac": "aac",
    ".aiff": "pcm_s16be",
    ".webm": "libopus",
    ".mka": "flac",
    ".mkv": "flac",
    ".wma": "wmav2",
    ".amr": "libopencore_amrnb",
    ".caf": "pcm_s16le",
    ".au": "pcm_s16be",
    ".w64": "pcm_s16le",
    ".wv": "wavpack",
    ".avi": "pcm_s16le",
    ".ts": "aac",
    ".3gp": "aac",
}


def noise(seconds: float, rate_hz: int = 16_000, n_channels: int = 1, seed: int = 0) -> np.ndarray:
    """Return noise at about -20 dBFS, shape ``(n_channels, n)``."""
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal((n_channels, round(seconds * rate_hz)))).astype(np.float32)


def sine(seconds: float, frequency_hz: float, rate_hz: int = 16_000, amplitude: float = 0.5) -> np.ndarray:
    """Return a tone, shape ``(1, n)``."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time)).astype(np.float32)[None]


def write_media(  # noqa: PLR0913 - each is one property of a file
    path: Path,
    samples: np.ndarray,
    rate_hz: int = 16_000,
    *,
    with_video: bool = False,
    metadata: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    start_s: float = 0.0,
    bit_rate: int | None = None,
) -> Path:
    """Encode ``samples``, shape ``(n_channels, n)``, into a file; its suffix says how."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n_channels = len(samples)
    layout = {1: "mono", 2: "stereo"}.get(n_channels, f"{n_channels} channels")
    with av.open(str(path), "w", options=dict(options or {})) as container:
        container.metadata.update(metadata or {})
        video = _video(container) if with_video else None
        stream = container.add_stream(CODECS[path.suffix], rate=rate_hz, layout=layout)
        if bit_rate or path.suffix == ".wma":
            stream.bit_rate = bit_rate or 64_000
        if video:
            _write_video(container, video, samples.shape[1] / rate_hz)
        _write_audio(container, stream, samples, rate_hz, layout, start_s)
    return path


def _write_audio(container, stream, samples, rate_hz, layout, start_s):
    resampler = av.AudioResampler(stream.codec_context.format, layout, rate_hz, stream.codec_context.frame_size or 1024)
    pcm = np.clip(samples * 32767, -32768, 32767).astype("<i2")
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm.T).reshape(1, -1), format="s16", layout=layout)
    frame.sample_rate = rate_hz
    position = round(start_s * rate_hz)
    for converted in (*resampler.resample(frame), *resampler.resample(None)):
        converted.pts, position = position, position + converted.samples
        container.mux(stream.encode(converted))
    container.mux(stream.encode(None))


def _video(container):
    video = container.add_stream("mpeg4", rate=10)
    video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
    return video


def _write_video(container, video, seconds):
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for _ in range(max(1, round(seconds * 10))):
        container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    container.mux(video.encode(None))
