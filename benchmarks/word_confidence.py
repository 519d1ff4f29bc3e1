"""Whether a recogniser keeps its promise: of words said to be so sure, how many were spoken.

    python -m benchmarks.word_confidence [SET …] [--profile embedded] [--lakes FOLDER] [--json FILE]

Runs the whole job on each set (``samples/`` by default) and lines the words of each recording up with those of its
truth by their longest common runs (``difflib``): a word is right if it stands in one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import audio_and_truth, read_truth, run, truth_name
from benchmarks.output import Row, add_json_option, report
from benchmarks.reliability import RELIABILITY_COLUMNS, ranges
from benchmarks.sounds import SAMPLES
from tasks.evaluation.normalise import plain_words
from tasks.evaluation.references import Reference

_HeardWord = tuple[str, float]


def main(argv: list[str] | None = None) -> None:
    """Run the sets and print how often words were right."""
    options = parse_arguments(argv)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for folder in options.sets:
            archive, truth = audio_and_truth(folder)
            name = folder.resolve().name
            lake = (options.lakes or Path(scratch)) / name
            run(archive, lake, options.profile, None, None)
            told, is_right = judged(read_truth(truth), read_words(lake))
            rows += [{"set": name, **row} for row in ranges(told, is_right)]
    report("word confidence", rows, RELIABILITY_COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("word_confidence", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", nargs="*", type=Path, metavar="SET", default=[SAMPLES.parent])
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--lakes", type=Path, help="folder to keep the lakes in, one per set")
    add_json_option(parser)
    return parser.parse_args(argv)


def read_words(lake: Path) -> dict[str, list[_HeardWord]]:
    """Return the words of each recording that have a confidence, by time."""
    from storage.catalog import open_catalog

    found: dict[str, list[_HeardWord]] = {}
    with open_catalog(str(lake)) as catalog:
        for source, text, confidence in catalog.execute(
            "SELECT source, text, confidence FROM words WHERE confidence IS NOT NULL ORDER BY source, word_index"
        ).fetchall():
            found.setdefault(truth_name(source), []).append((text, confidence))
    return found


def judged(
    truth: dict[str, Reference], heard: dict[str, list[_HeardWord]]
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Return the confidence of every word of a recording whose words are known, and whether it was spoken."""
    told, is_right = [], []
    for name, known in truth.items():
        said = [word for line in known.utterances or () for word in plain_words(line.text)]
        if said and name in heard:
            words = [(plain, sure) for text, sure in heard[name] for plain in plain_words(text)]
            told += [sure for _, sure in words]
            is_right += spoken([word for word, _ in words], said)
    return np.array(told), np.array(is_right, np.bool_)


def spoken(heard: Sequence[str], said: Sequence[str]) -> list[bool]:
    """Return for each word heard whether it lines up with one that was said."""
    is_right = [False] * len(heard)
    for block in SequenceMatcher(None, heard, said, autojunk=False).get_matching_blocks():
        is_right[block.a : block.a + block.size] = [True] * block.size
    return is_right


if __name__ == "__main__":
    main()
