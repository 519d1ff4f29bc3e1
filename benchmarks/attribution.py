"""Words to speakers: how fast, how right, and how right when it says how sure it is.

    python -m benchmarks.attribution [SET …] [--profile embedded] [--lakes FOLDER] [--seeds N] [--json FILE]

Beside ``attribute`` run, on the same words and turns, whisperX's loop and aana's processor
(``benchmarks/other_attributions.py``).

- *Speed*: a million words in a hundred recordings, and in one, against the others on one of the hundred; their time
  for a million is a hundred times that. Their loops compare every word with every turn, so one recording of a million
  words would take them longer by far.
- *Accuracy*, in percent of words: the words of the truth and turns that err. Edges are moved by a Laplace distribution
  of 200 ms, then 5 % of turns are missed and 5 % given to somebody else besides; with ``--profile``, turns are what
  these engines hear. A word is right if it has its true speaker. Who always guesses is right more often, and wrong more
  often, so two ways are told apart: words may stay open, as is the default; or all get a speaker, *guessing*.
  The others have all turns or exclusive ones, whichever suits them better. Each seed counts twice, the second time with
  names and precedence the other way round, so that nobody wins by the order in which names happen to be.
- *Confidence*: how many words are right of those that are said to be so sure, and utterances whose speaker is
  uncertain beside others.

Without SET the words are those of ``samples/``; conversations made up with every fifth full stop missing are added.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.heard_turns import Heard, hear, under_true_names
from benchmarks.made_up_talk import made_up, with_missing_marks
from benchmarks.other_attributions import aana, fill_nearest, whisperx
from benchmarks.output import Row, add_json_option, add_repeats_option, markdown_table, report, write_rows
from benchmarks.reliability import DOUBT_COLUMNS, RELIABILITY_COLUMNS, reliability
from benchmarks.runs import Spent, timed
from benchmarks.sounds import SAMPLES
from benchmarks.spoken_words import Spoken, Wear, one_at_a_time, read_set, worn
from tasks.attribution.attribute import AttributeOptions, attribute
from tasks.attribution.columns import NOBODY, TurnTimes, WordTimes

Table = TypeVar("Table", WordTimes, TurnTimes)

_WEAR = {"edges": Wear(missed=0, confused=0), "edges, missed, confused": Wear()}
_GUESS = AttributeOptions(max_gap_ms=10**12)
_N_RECORDINGS = 100
_N_TALKS, _WORDS_PER_TALK = 9, 300
_SPEED_COLUMNS = ("what", "words", "turns", "wall s", "processor s", "per million words", "times as long")
_ACCURACY_COLUMNS = (
    "set", "turns", "words", "voxlake", "wrong", "whisperx", "its wrong",
    "voxlake, guessing", "whisperx, guessing", "aana, guessing",
)  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    options = parse_arguments(argv)
    speed = speed_rows(options.words, options.repeats)
    report("attribution", speed, _SPEED_COLUMNS, None)
    accuracy, confidence = [], []
    with tempfile.TemporaryDirectory() as scratch:
        lakes = options.lakes or Path(scratch)
        for name, how, pairs in heard_sets(options.sets, options.profile, lakes, options.seeds):
            accuracy.append(accuracy_row(name, how, [counted(*pair) for pair in pairs]))
            confidence.append(reliability(name, how, pairs))
    doubts = [rows[-1] for rows in confidence]
    told = [row for rows in confidence for row in rows if row["turns"] == options.profile]
    for rows, columns in ((accuracy, _ACCURACY_COLUMNS), (doubts, DOUBT_COLUMNS), (told, RELIABILITY_COLUMNS)):
        if rows:
            print(f"\n{markdown_table(rows, columns)}", flush=True)
    write_rows("attribution", [*speed, *accuracy, *doubts, *told], options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("attribution", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", nargs="*", type=Path, metavar="SET", default=[SAMPLES.parent])
    parser.add_argument("--profile", help="engines whose turns to take as well, such as embedded")
    parser.add_argument("--lakes", type=Path, help="folder to keep their lakes in, one per set")
    parser.add_argument(
        "--seeds", type=int, default=3, help="how often turns are made to err, each twice; 3 by default"
    )
    parser.add_argument("--words", type=int, default=10_000, help="words of a recording for speed; 10,000 by default")
    add_repeats_option(parser, 3)
    add_json_option(parser)
    return parser.parse_args(argv)


# ---- speed


def speed_rows(n_words: int, repeats: int) -> list[Row]:
    """Return a row for each way of giving words their speakers, the first being what the others are compared with."""
    rng = np.random.default_rng(0)
    talk = made_up(rng, n_words, 4)
    words, turns = talk.words, worn(talk.turns, Wear(), rng)
    exclusive = one_at_a_time(turns, rng.permutation(len(turns.start_ms)))
    length_ms = int(words.end_ms.max())
    all_words, all_turns, all_exclusive = (_over_and_over(table, length_ms) for table in (words, turns, exclusive))

    def hundred() -> None:
        for _ in range(_N_RECORDINGS):
            attribute(words, exclusive, turns)

    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "voxlake, a hundred recordings": (_N_RECORDINGS, hundred),
        "voxlake, one recording": (_N_RECORDINGS, lambda: attribute(all_words, all_exclusive, all_turns)),
        "aana, one of the hundred": (1, lambda: aana(words, turns)),
        "whisperx, one of the hundred": (1, lambda: whisperx(words, turns)),
    }
    spent: dict[str, list[Spent]] = {what: [] for what in ways}
    for _ in range(repeats):
        for what, (_, call) in ways.items():
            spent[what].append(timed(call))
    rows: list[Row] = []
    for what, (n, _) in ways.items():
        wall_s, cpu_s = (statistics.median(times) for times in zip(*spent[what], strict=True))
        row = {"what": what, "words": n * len(talk.texts), "turns": n * len(turns.start_ms)}
        row |= {"wall s": wall_s, "processor s": cpu_s, "per million words": cpu_s * 1e6 / row["words"]}
        rows.append(row | {"times as long": row["per million words"] / (rows or [row])[0]["per million words"]})
    return rows


def _over_and_over(table: Table, length_ms: int) -> Table:
    """Return a hundred copies of a recording's words or turns, one after the other."""
    shift = np.repeat(np.arange(_N_RECORDINGS) * length_ms, len(table.start_ms))
    columns = {name: np.tile(getattr(table, name), _N_RECORDINGS) for name in type(table).__slots__}
    return replace(type(table)(**columns), start_ms=columns["start_ms"] + shift, end_ms=columns["end_ms"] + shift)


# ---- accuracy


def talks() -> list[Spoken]:
    """Return made-up conversations in which every fifth full stop is missing."""
    rng = np.random.default_rng(0)
    return [with_missing_marks(made_up(rng, _WORDS_PER_TALK, 2 + talk % 3), rng, 0.2) for talk in range(_N_TALKS)]


def heard_sets(
    folders: Sequence[Path], profile: str | None, lakes: Path, seeds: int
) -> Iterator[tuple[str, str, list[tuple[Spoken, Heard]]]]:
    """Yield a set's name, how turns are heard, and its recordings with these turns."""
    sets = [(folder.resolve().name, read_set(folder), folder) for folder in folders]
    for name, recordings, folder in [*sets, ("made up", talks(), None)]:
        for how, wear in _WEAR.items():
            sides = [
                both_sides(one, wear, np.random.default_rng([seed, index]))
                for seed in range(seeds)
                for index, one in enumerate(recordings)
            ]
            yield name, how, [side for pair in sides for side in pair]
        if profile and folder:
            heard = hear(folder, lakes / name, profile)
            yield (
                name,
                profile,
                [(one, under_true_names(heard[one.name], one)) for one in recordings if one.name in heard],
            )


def both_sides(spoken: Spoken, wear: Wear, rng: np.random.Generator) -> Iterator[tuple[Spoken, Heard]]:
    """Yield a recording with turns that err, and the same with names and precedence the other way round."""
    turns = worn(spoken.turns, wear, rng)
    precedence = rng.permutation(len(turns.start_ms))
    yield spoken, Heard(turns, one_at_a_time(turns, precedence))
    n_people = int(max(spoken.person.max(initial=0), spoken.turns.speaker.max(initial=0))) + 1
    turned = replace(turns, speaker=n_people - 1 - turns.speaker)
    yield replace(spoken, person=n_people - 1 - spoken.person), Heard(turned, one_at_a_time(turned, precedence[::-1]))


def counted(spoken: Spoken, heard: Heard) -> Counter[str]:
    """Return the number of words, and of those that each way of giving them speakers has right, or wrong."""
    words = spoken.words
    said = {
        "voxlake": attribute(words, heard.exclusive, heard.turns).speaker,
        "voxlake, guessing": attribute(words, heard.exclusive, heard.turns, options=_GUESS).speaker,
    }
    for kind, turns in heard._asdict().items():
        loop = whisperx(words, turns)
        said |= {f"whisperx {kind}": loop, f"whisperx, guessing {kind}": fill_nearest(words, turns, loop)}
        said[f"aana, guessing {kind}"] = aana(words, turns)
    counts = Counter({"words": len(spoken.texts)})
    for way, speaker in said.items():
        counts[f"{way} right"] = int((speaker == spoken.person).sum())
        counts[f"{way} wrong"] = int(((speaker != spoken.person) & (speaker != NOBODY)).sum())
    return counts


def accuracy_row(name: str, how: str, counts: Sequence[Counter[str]]) -> Row:
    """Return the shares of right and wrong words in percent; of the others with the turns that suit them better."""
    total = sum(counts, Counter())

    def percent(way: str) -> float:
        return round(100 * total[way] / max(total["words"], 1), 2)

    def best(way: str) -> str:
        return max((f"{way} {kind}" for kind in Heard._fields), key=lambda option: total[f"{option} right"])

    return {
        "set": name,
        "turns": how,
        "words": total["words"],
        "voxlake": percent("voxlake right"),
        "wrong": percent("voxlake wrong"),
        "whisperx": percent(f"{best('whisperx')} right"),
        "its wrong": percent(f"{best('whisperx')} wrong"),
        "voxlake, guessing": percent("voxlake, guessing right"),
        **{way: percent(f"{best(way)} right") for way in ("whisperx, guessing", "aana, guessing")},
    }


if __name__ == "__main__":
    main()
