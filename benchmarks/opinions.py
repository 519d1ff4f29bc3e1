"""How long it takes to compare two opinions about a long recording, against a short one.

    python -m benchmarks.opinions [--hours 1 10] [--repeats N] [--json FILE]

Makes up talk of 9,000 words an hour with pauses, as two transcribers hear it who each get one word in twenty wrong,
drop a few, and place all of them up to 60 ms off; and turns of four people, as two diarizers hear them who end each up
to 300 ms off and take one in twenty for another's. Compares them, in processor time.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import numpy as np

from benchmarks.output import Row, add_json_option, add_repeats_option, report
from benchmarks.runs import timed
from tasks.opinions.turns import LabelledTurn, compare_turns
from tasks.opinions.words import TimedWords, compare_words

_WORDS_PER_HOUR, _TURNS_PER_HOUR = 9_000, 900
_WORD_MS, _TURN_MS, _CHUNK_MS = 250, 4_000, 600_000
_VOCABULARY, _PEOPLE = 3_000, 4
_WRONG = 0.05
_COLUMNS = ("what", "hours", "compared", "rate", "disagreements", "cpu s", "cpu s per hour", "ratio", "goal")


def main(argv: list[str] | None = None) -> None:
    """Make up opinions, compare them, print."""
    options = parse_arguments(argv)
    rows: list[Row] = []
    for what, heard, compare in (("words", words, compare_words), ("turns", turns, compare_turns)):
        some = [measured(what, hours, heard, compare, options.repeats) for hours in options.hours]
        rows += [row | {"ratio": row["cpu s per hour"] / some[0]["cpu s per hour"], "goal": "≤ 1.2"} for row in some]
    report("second opinions", rows, _COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("opinions", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--hours", type=float, nargs="+", default=[1.0, 10.0], help="lengths, the first to compare with"
    )
    add_repeats_option(parser, 5)
    add_json_option(parser)
    return parser.parse_args(argv)


def measured(what: str, hours: float, heard: Any, compare: Any, repeats: int) -> Row:
    """Compare two opinions several times and return the median."""
    one, other = heard(hours, 1), heard(hours, 2)
    found = compare(one, other)
    cpu_s = statistics.median(timed(lambda: compare(one, other)).cpu_s for _ in range(repeats))
    return {
        "what": what,
        "hours": hours,
        "compared": found.n_compared,
        "rate": found.n_differing / found.n_compared,
        "disagreements": len(found.disagreements),
        "cpu s": cpu_s,
        "cpu s per hour": cpu_s / hours,
    }


def words(hours: float, listener: int) -> TimedWords:
    """Return what one of several transcribers hears in the same talk."""
    talk, own = np.random.default_rng(0), np.random.default_rng(listener)
    count = round(_WORDS_PER_HOUR * hours)
    gap_ms = np.where(talk.random(count) < 0.08, talk.integers(500, 3_000, count), talk.integers(0, 120, count))
    start_ms = np.cumsum(gap_ms + _WORD_MS) + own.integers(0, 60, count)
    said = np.where(
        own.random(count) < _WRONG, own.integers(0, _VOCABULARY, count), talk.integers(0, _VOCABULARY, count)
    )
    kept = own.random(count) > _WRONG / 2
    start_ms = np.sort(start_ms[kept])
    return TimedWords(
        start_ms=start_ms.tolist(), end_ms=(start_ms + _WORD_MS).tolist(), text=[f"w{word}" for word in said[kept]]
    )


def turns(hours: float, listener: int) -> list[LabelledTurn]:
    """Return what one of several diarizers hears in the same talk."""
    talk, own = np.random.default_rng(0), np.random.default_rng(listener)
    count = round(_TURNS_PER_HOUR * hours)
    who = np.where(own.random(count) < _WRONG, own.integers(0, _PEOPLE, count), talk.integers(0, _PEOPLE, count))
    start_ms = np.arange(count) * _TURN_MS
    end_ms = start_ms + _TURN_MS + own.integers(-300, 300, count)
    return [
        LabelledTurn(0, start // _CHUNK_MS, start, end, f"V{person}")
        for start, end, person in zip(start_ms.tolist(), end_ms.tolist(), who.tolist(), strict=True)
    ]


if __name__ == "__main__":
    main()
