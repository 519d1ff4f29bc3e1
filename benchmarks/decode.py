"""What reading a recording costs beyond libav's own work.

    python -m benchmarks.decode [--minutes 30] [--repeats N] [--json FILE]

Writes the speech of ``samples/`` over and over as mp3, m4a, opus, flac and wav, then reads each in turn

- as Voxlake does: bytes fetched through the hashing reader, decoded, resampled to blocks at 16 kHz, identity taken;
- *bare*: PyAV demuxes, decodes and resamples the file and drops every frame;
- *hash*: SHA-256 of the file and nothing else.

Processor time, because other work on the machine does not count in it. The first ratio is Voxlake over bare, the second
Voxlake over bare and hash together: the identity has to be taken by somebody, and here both are one pass over the file.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from pathlib import Path

import av

from benchmarks.output import RATIO_COLUMNS, Row, add_json_option, add_repeats_option, ratio_row, report
from benchmarks.runs import timed
from benchmarks.sounds import ENCODINGS, repeated, sample_speech, write_recording
from storage.records import SAMPLE_RATE_HZ
from tasks.audio.decode import open_recording

_GOAL = "≤ 1.1"


def main(argv: list[str] | None = None) -> None:
    """Write the recordings, read them in turn, print."""
    options = parse_arguments(argv)
    rows: list[Row] = []
    speech = sample_speech()
    with tempfile.TemporaryDirectory() as scratch:
        for encoding in ENCODINGS:
            path = Path(scratch) / f"speech{encoding.suffix}"
            write_recording(path, repeated(speech, options.minutes * 60), encoding)
            rows += compare(path, options.repeats)
            path.unlink()
    report(f"decode, {options.minutes:g} min each, processor time", rows, RATIO_COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("decode", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    add_repeats_option(parser, 5)
    add_json_option(parser)
    return parser.parse_args(argv)


def compare(path: Path, repeats: int) -> list[Row]:
    """Return both ratios for one file."""
    read(path), bare(path)
    ours, theirs, both = [], [], []
    for _ in range(repeats):
        ours.append(timed(lambda: read(path)).cpu_s)
        theirs.append(timed(lambda: bare(path)).cpu_s)
        both.append(theirs[-1] + timed(lambda: digest(path)).cpu_s)
    return [
        ratio_row(f"{path.suffix} / bare", ours, theirs, _GOAL),
        ratio_row(f"{path.suffix} / bare + hash", ours, both, _GOAL),
    ]


def read(path: Path) -> None:
    """Read a recording as a shard does."""
    with open_recording(str(path.parent), path.name) as reader:
        for _ in reader.blocks():
            pass
        reader.recording_id()


def bare(path: Path) -> None:
    """Let libav do the same and drop what comes out."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1
        resampler = av.AudioResampler("fltp", stream.codec_context.layout, SAMPLE_RATE_HZ)
        for frame in container.decode(stream):
            resampler.resample(frame)
        resampler.resample(None)


def digest(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
