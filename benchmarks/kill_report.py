"""What was killed how often, at which phases, and what came of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.kill_targets import PHASES
from benchmarks.output import Row, machine, markdown_table

_VICTIMS = ("worker", "flow", "group", "server")
_MODES = ("local", "temporary", "prefect")


def read_lines(path: Path) -> Iterator[Row]:
    """Yield the lines of a count so far."""
    if path.exists():
        yield from map(json.loads, path.read_text().splitlines())


def print_sum(lines: Sequence[Row]) -> bool:
    """Print tables of all that was counted, and what went wrong; return whether nothing did."""
    kills = [line for line in lines if line["line"] == "kill"]
    rounds = [line for line in lines if line["line"] == "round"]
    where = machine()
    print(f"{len(kills)} kills, {len(rounds)} rounds, {where['at']}, {where['cpus']} × {where['cpu']}\n")
    for title, name, values in (("phase", "phase", PHASES), ("started", "mode", _MODES)):
        print(markdown_table(count_by(kills, title, name, values), [title, *_VICTIMS, "all"]), end="\n\n")
    lost = [ms for line in rounds for ms in line["lost_ms"]]
    left = sum((Counter(line["left_over"]) for line in rounds), Counter())
    n_renamed = sum(line["is_renamed"] for line in rounds)
    print(f"{sum(line['is_amid_write'] for line in kills)} while a file was being written")
    print(f"{sum(line['by'] == 'time' for line in kills)} by the clock, the others by what was written")
    print(f"{sum(line['exit_code'] is not None for line in kills)} runs went on to their end, or stopped by themselves")
    print(f"{len(rounds) - n_renamed} rounds equal row by row, {n_renamed} but for what speakers are called")
    print(
        f"lost by {len(lost)} processes: {sum(lost) / 1000:.1f} s of audio, at most {max(lost, default=0) / 1000:.1f} s"
    )
    print(f"left for cleaning up: {dict(left)}")
    problems = [(line["line"], line["mode"], line["seed"], one) for line in lines for one in line["problems"]]
    print(f"{len(problems)} problems")
    for problem in problems:
        print(*problem, sep="; ")
    return not problems


def count_by(kills: Sequence[Row], title: str, name: str, values: Sequence[str]) -> list[Row]:
    """Return a row of counts by victim for each value of a column, and one of all."""
    counts = Counter((kill[name], kill["victim"]) for kill in kills)
    rows: list[Row] = [{title: value} | {victim: counts[value, victim] for victim in _VICTIMS} for value in values]
    rows.append({title: "all"} | {victim: sum(row[victim] for row in rows) for victim in _VICTIMS})
    return [row | {"all": sum(row[victim] for victim in _VICTIMS)} for row in rows]
