"""What commands print: tables for people, JSON for programs, one line for an error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from storage.errors import ConfigError

Row = Mapping[str, Any]

_SHORT = 14
"""Characters up to which a cell is never broken."""
_WIDE = 400
"""Characters to a line where no terminal limits them."""


def wants_json(asked: bool | None) -> bool:
    """Return whether to print JSON: as asked, else where nobody is looking."""
    return not sys.stdout.isatty() if asked is None else asked


def print_json(value: Any) -> None:
    """Print a JSON value."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def print_rows(rows: Sequence[Row], columns: Sequence[str], *, title: str = "") -> None:
    """Print rows as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", title_style="bold")
    for column in columns:
        is_number = any(isinstance(row[column], (int, float)) for row in rows)
        is_short = all(len(_cell(row[column])) <= _SHORT for row in rows)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold", no_wrap=is_short)
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(table if rows else f"{title or 'rows'}: none", highlight=False)


def print_pairs(pairs: Mapping[str, Any]) -> None:
    """Print names and values below each other."""
    width = max(map(len, pairs))
    for name, value in pairs.items():
        sys.stdout.write(f"{name:<{width}}  {value}\n")


def say(line: str) -> None:
    """Print one line for people, beside the output proper."""
    sys.stderr.write(f"{line}\n")


def ask(question: str, *, is_sure: bool, flag: str) -> None:
    """Go on only if somebody says yes, or is sure already.

    Raises:
        ConfigError: nobody is there to ask, or the answer is no.
    """
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise ConfigError(question, "nobody is there to answer", f"give {flag} to answer yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise ConfigError(question, "the answer was no", "nothing was changed")


def _cell(value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"
    return escape(str(value))
