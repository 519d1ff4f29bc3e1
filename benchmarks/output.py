"""What all benchmarks print: a table for people, as Markdown; JSON for programs; the machine they ran on."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Let a benchmark write its rows to a file."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to a file")


def add_repeats_option(parser: argparse.ArgumentParser, repeats: int) -> None:
    """Let a benchmark be repeated more or less often."""
    parser.add_argument("--repeats", type=int, default=repeats, help=f"measurements of each side, {repeats} by default")


def report(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], json_path: Path | None) -> None:
    """Print rows as a table and, if asked, write them with the machine's description."""
    where = machine()
    print(f"{title}, {where['at']}, {where['cpus']} × {where['cpu']}, load {where['load']}\n")
    print(markdown_table(rows, columns), flush=True)
    write_rows(title, rows, json_path)


def write_rows(title: str, rows: Sequence[Mapping[str, Any]], json_path: Path | None) -> None:
    """Write rows, if asked, with the machine's description."""
    if json_path:
        json_path.write_text(json.dumps({"benchmark": title, "machine": machine(), "rows": rows}, indent=2) + "\n")


def markdown_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as a table whose columns line up; columns without any value are left out."""
    shown = [name for name in columns if any(row.get(name) is not None for row in rows)]
    cells = [shown, *([_cell(row.get(name)) for name in shown] for row in rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    rule = " | ".join("-" * width for width in widths)
    return "\n".join(f"| {line} |" for line in (lines[0], rule, *lines[1:]))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def machine() -> Row:
    """Return where and when this ran, and how busy the machine was: ratios of a busy machine deserve less trust."""
    return {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "cpu": platform.machine(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }


def ratio_row(what: str, measured: Sequence[float], beside: Sequence[float], goal: str) -> Row:
    """Return the median of each side and of the ratios of neighbours, with the ratios' spread.

    The two sides were measured in turn, so that the ratio of neighbours does not feel the machine's slow drift.
    """
    ratios = [one / other for one, other in zip(measured, beside, strict=True)]
    return {
        "what": what,
        "measured s": statistics.median(measured),
        "beside s": statistics.median(beside),
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "goal": goal,
        "n": len(ratios),
    }


RATIO_COLUMNS = ("what", "measured s", "beside s", "ratio", "lowest", "highest", "goal", "n")
