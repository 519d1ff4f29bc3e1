"""How often true text is flagged as suspect: the words that were really said, over the recordings they were said in.

    python -m benchmarks.false_flags samples [SET …] [--json FILE]

Sets are those of ``benchmarks.accuracy``; only recordings with an STM count. The recordings are decoded and the
embedded detector hears them, as in a run; in the recogniser's place stand the words of the STM, those of a line spread
over it by their length. Whatever is flagged is a false alarm.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.accuracy import audio_and_truth, read_truth, truth_name
from benchmarks.output import Row, add_json_option, report
from storage.formats.document import DocumentUtterance
from storage.records import Utterance
from tasks.attribution.attribute import Attribution
from tasks.attribution.columns import WordTexts, WordTimes
from tasks.attribution.coverage import SpanArray
from tasks.attribution.orthography import sentence_ends
from tasks.attribution.suspect import flag_suspects
from tasks.attribution.utterances import build_utterances
from tasks.audio.chunking import ChunkCutter
from tasks.audio.decode import read_recording
from tasks.audio.detect import detection_with
from tasks.audio.media import open_source
from tasks.engines import registry

_DETECTOR = "silero"
_FLAGS = ("loop", "no_speech", "invented", "stretched", "fast")


def main(argv: list[str] | None = None) -> None:
    """Flag the true words of the sets, and print how many utterances that concerns."""
    options = parse_arguments(argv)
    rows = [_row(folder) for folder in options.sets]
    report("false flags", rows, ("set", "utterances", "words", "flagged", "flagged %", *_FLAGS), options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("false_flags", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET", help="folder with recordings and their truth")
    add_json_option(parser)
    return parser.parse_args(argv)


def _row(folder: Path) -> Row:
    utterances = [one for found in _flagged(folder) for one in found]
    flags = Counter(flag for one in utterances for flag in one.flags)
    n_flagged = sum(bool(one.flags) for one in utterances)
    return {
        "set": folder.resolve().name,
        "utterances": len(utterances),
        "words": sum(one.n_words for one in utterances),
        "flagged": n_flagged,
        "flagged %": 100 * n_flagged / max(len(utterances), 1),
        **{flag: flags[flag] for flag in _FLAGS},
    }


def _flagged(folder: Path) -> Iterator[list[Utterance]]:
    archive, truths = audio_and_truth(folder)
    truth = read_truth(truths)
    for path in sorted(path for path in archive.rglob("*") if path.is_file()):
        source = path.relative_to(archive).as_posix()
        known = truth.get(truth_name(source))
        if known is not None and known.utterances:
            yield flagged(known.utterances, detected(archive, source))


def detected(archive: Path, source: str) -> SpanArray:
    """Return the speech that the embedded detector hears in a recording, as a run does."""
    detector = registry.find("detector", _DETECTOR).from_options({}, device="cpu")
    cutter = ChunkCutter(detection_with(_DETECTOR, detector), channel_mode="mix")
    with open_source(str(archive), source) as reader, read_recording(reader, source) as recording:
        chunks = [cut.chunk for cut in cutter.cut(recording.blocks())]
    spans = [(span.start_ms, span.end_ms) for chunk in chunks for span in chunk.speech]
    return np.array(spans, np.int64).reshape(-1, 2)


def flagged(said: Sequence[DocumentUtterance], speech: SpanArray) -> list[Utterance]:
    """Return what was said as utterances of the pipeline, with their flags."""
    words = sorted((word for line in said for word in _spread(line)), key=lambda word: word[:2])
    starts, ends, text, speaker = (list(column) for column in zip(*words, strict=True))
    n, names = len(words), sorted(set(speaker))
    times = WordTimes(
        start_ms=np.array(starts, np.int64),
        end_ms=np.array(ends, np.int64),
        channel=np.zeros(n, np.int16),
        ends_sentence=sentence_ends(text),
    )
    texts = WordTexts(text=text, confidence=np.full(n, np.nan, np.float32), segment=np.full(n, -1))
    attribution = Attribution(
        speaker=np.array([names.index(name) for name in speaker]),
        margin=np.ones(n, np.float32),
        reason=np.zeros(n, np.int8),
        is_overlapped=np.zeros(n, np.bool_),
        other_speaker=np.full(n, -1),
        confidence=np.ones(n, np.float32),
    )
    built = build_utterances(times, texts, attribution, segments=(), speakers=names)
    return flag_suspects(built, times, texts, {0: speech}).rows


def _spread(line: DocumentUtterance) -> Iterator[tuple[int, int, str, str]]:
    words = line.text.split()
    edges = np.cumsum([0, *(len(word) + 1 for word in words)])
    edges_ms = line.start_ms + edges * (line.end_ms - line.start_ms) // max(int(edges[-1]), 1)
    for start_ms, end_ms, word in zip(edges_ms[:-1].tolist(), edges_ms[1:].tolist(), words, strict=True):
        yield start_ms, end_ms, word, str(line.speaker)


if __name__ == "__main__":
    main()
