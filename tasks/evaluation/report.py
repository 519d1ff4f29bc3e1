"""An evaluation for people and for programs: rows of tables, a page, JSON and Parquet."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import pyarrow.parquet as pq

from storage.addresses import absolute_url
from storage.errors import ConfigError
from storage.schemas import EVALUATION, table_of
from storage.store import Store, json_bytes
from tasks.evaluation.evaluate import Evaluation
from tasks.evaluation.figures import Figure, Scope
from tasks.planning.shards import MINUTE_MS

Row = dict[str, Any]

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "der": "DER",
        "der_missed": "· missed",
        "der_false_alarm": "· false alarm",
        "der_confusion": "· confusion",
        "der_collar": "DER, collar 0.25 s",
        "jer": "JER",
        "archive_der": "DER, archive-wide",
        "bcubed": "B-cubed F1",
        "bcubed_precision": "· precision",
        "bcubed_recall": "· recall",
        "wer": "WER",
        "wer_insertions": "· insertions",
        "wer_deletions": "· deletions",
        "wer_substitutions": "· substitutions",
        "cpwer": "cpWER",
        "tcpwer": "tcpWER",
        "wder": "WDER",
    }
)
"""What people call the figures, in the order they are shown."""
FIGURE_COLUMNS = ("figure", "value", "95 %", "wrong", "of", "recordings")
SHORT_COLUMNS = (
    "DER",
    "DER, collar 0.25 s",
    "JER",
    "DER, archive-wide",
    "B-cubed F1",
    "WER",
    "cpWER",
    "tcpWER",
    "WDER",
)
"""Figures that are shown of collections and recordings."""

_MOST_NAMES = 10
_FORMATS = (".json", ".parquet")


def check_out(out: str | None) -> None:
    """Refuse a file of a kind that cannot be written, before the work.

    Raises:
        ConfigError: neither JSON nor Parquet by its name.
    """
    if out is not None and PurePath(out).suffix not in _FORMATS:
        raise ConfigError(f"file {out!r}", "is neither .json nor .parquet by its name", "call it so")


def write_evaluation(evaluation: Evaluation, broken: Sequence[str], out: str) -> None:
    """Write the figures as Parquet, or everything as JSON, by the file's suffix; replaces what is there.

    Raises:
        ConfigError: neither JSON nor Parquet by its name.
        StorageError: it could not be written.
    """
    check_out(out)
    folder, _, name = absolute_url(out).rpartition("/")
    if out.endswith(".json"):
        Store(folder).put(name, json_bytes(evaluation_json(evaluation, broken)))
        return
    buffer = io.BytesIO()
    pq.write_table(table_of([asdict(figure) for figure in evaluation.figures], EVALUATION), buffer, compression="zstd")
    Store(folder).put(name, buffer.getvalue())


def evaluation_json(evaluation: Evaluation, broken: Sequence[str]) -> Row:
    """Return everything for programs; figures have the columns of ``EVALUATION``."""
    return {
        "lake": evaluation.lake,
        "references": evaluation.references,
        "names": evaluation.names,
        "n_recordings": len(evaluation.recordings),
        "figures": [asdict(figure) for figure in evaluation.figures],
        "failed": [one.source for one in evaluation.recordings if one.status == "failed"],
        "missing": [asdict(one) for one in evaluation.missing],
        "extra": list(evaluation.extra),
        "ignored": list(evaluation.ignored),
        "broken": list(broken),
    }


def figure_rows(evaluation: Evaluation) -> list[Row]:
    """Return a row per figure of all recordings."""
    figures = {one.figure: one for one in evaluation.figures if one.scope == "all"}
    return [_figure_row(title, figures[name]) for name, title in TITLES.items() if name in figures]


def scope_rows(evaluation: Evaluation, scope: Scope) -> list[Row]:
    """Return a row per collection or recording, with the figures of ``SHORT_COLUMNS`` that any has."""
    rows: dict[str, Row] = {}
    for one in evaluation.figures:
        if one.scope == scope:
            name = (one.source if scope == "recording" else one.collection) or ""
            row = rows.setdefault(one.recording_id or name, {scope: name, **dict.fromkeys(SHORT_COLUMNS)})
            if (title := TITLES[one.figure]) in row:
                row[title] = _value(one)
    shown = [column for column in SHORT_COLUMNS if any(row[column] for row in rows.values())]
    return [{name: row[name] for name in (scope, *shown)} for row in rows.values()]


def evaluation_line(evaluation: Evaluation) -> str:
    """Return one line that says what was compared."""
    minutes = sum(one.duration_ms for one in evaluation.recordings) / MINUTE_MS
    failed = sum(one.status == "failed" for one in evaluation.recordings)
    line = f"recordings with references: {len(evaluation.recordings)}, {minutes:.1f} min"
    return f"{line}; failed, and counted as silence: {failed}" if failed else line


def gaps(evaluation: Evaluation) -> list[str]:
    """Return a line for each kind of thing that could not be compared, with the first of them by name."""
    kinds = {
        "references about no recording of the lake": [f"{one.name} in {one.path}" for one in evaluation.missing],
        "recordings without a reference": list(evaluation.extra),
        "files that are no references by their names": list(evaluation.ignored),
    }
    return [f"{kind}: {len(names)} ({_some(names)})" for kind, names in kinds.items() if names]


def evaluation_page(evaluation: Evaluation, broken: Sequence[str]) -> str:
    """Return everything but the single recordings as a page in Markdown."""
    parts = [f"# {evaluation_line(evaluation)}"]
    parts += ["**Limits that are not kept:**\n\n" + "\n".join(f"- {line}" for line in broken)] if broken else []
    parts.append(_markdown(figure_rows(evaluation), FIGURE_COLUMNS))
    if collections := scope_rows(evaluation, "collection"):
        parts.append(_markdown(collections, tuple(collections[0])))
    if lines := gaps(evaluation):
        parts.append("\n".join(f"- {line}" for line in lines))
    parts.append(f"Lake `{evaluation.lake}`, references `{evaluation.references}`.")
    return "\n\n".join(parts) + "\n"


def _figure_row(title: str, figure: Figure) -> Row:
    has_interval = figure.low is not None and figure.high is not None
    return {
        "figure": title,
        "value": _value(figure),
        "95 %": f"{_number(figure, figure.low)} to {_number(figure, figure.high)}" if has_interval else None,
        "wrong": _amount(figure.wrong, figure.unit),
        "of": _amount(figure.total, figure.unit),
        "recordings": figure.n_recordings,
    }


def _value(figure: Figure) -> str | None:
    if figure.value is None:
        return None
    return _number(figure, figure.value) + ("" if _is_share(figure) else " %")


def _number(figure: Figure, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if _is_share(figure) else f"{100 * value:.1f}"


def _is_share(figure: Figure) -> bool:
    return figure.figure.startswith("bcubed")


def _amount(amount: float | None, unit: str) -> str | None:
    if amount is None:
        return None
    if unit == "ms":
        return f"{amount / MINUTE_MS:.1f} min" if amount >= MINUTE_MS else f"{amount / 1000:.1f} s"
    return f"{amount:,.1f} speakers" if unit == "speakers" else f"{amount:,.0f} words"


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _markdown(rows: Sequence[Row], columns: Sequence[str]) -> str:
    lines = [columns, ["---"] * len(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|")
