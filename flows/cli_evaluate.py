"""The command that says how right a lake is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from flows.cli_options import JsonFlag
from flows.cli_output import print_json, print_rows, say, wants_json
from tasks.evaluation.gate import Limits

if TYPE_CHECKING:
    from tasks.evaluation.evaluate import Evaluation

_KEPT, _BROKEN = 0, 1
_NO_LIMITS = Limits()


def evaluate(
    lake: str,
    references: str,
    *,
    uem: str | None = None,
    names: Literal["shared", "local"] = "shared",
    out: str | None = None,
    limits: Annotated[Limits, Parameter(name="*")] = _NO_LIMITS,
    json: JsonFlag = None,
) -> int:
    """Compare a lake with references: DER, JER, WER, cpWER, tcpWER, WDER, and who is who across recordings.

    Args:
        lake: Folder or URL of the lake.
        references: File or folder with RTTM, STM, SegLST or CTM, named like the recordings.
        uem: UEM file that says what of the recordings is scored; default: all of them.
        names: Whether a speaker's name in the references is one person everywhere, or only within a recording.
        out: File to write to, `.json` or `.parquet`.
        limits: What must be kept; else the command exits with 1.
        json: Print JSON, or tables; tables on a terminal by default.
    """
    from tasks.evaluation.evaluate import evaluate_lake
    from tasks.evaluation.gate import broken
    from tasks.evaluation.report import check_out, evaluation_json, write_evaluation

    check_out(out)
    found = evaluate_lake(lake, references, uem_url=uem, names=names)
    lines = broken(limits, found.figures, len(found.missing))
    if out is not None:
        write_evaluation(found, lines, out)
    print_json(evaluation_json(found, lines)) if wants_json(json) else _print_tables(found)
    for line in lines:
        say(line)
    return _BROKEN if lines else _KEPT


def _print_tables(found: Evaluation) -> None:
    from tasks.evaluation.report import FIGURE_COLUMNS, evaluation_line, figure_rows, gaps, scope_rows
    from tasks.reading.summary import MOST_ROWS

    print_rows(figure_rows(found), FIGURE_COLUMNS, title=evaluation_line(found))
    for scope in ("collection", "recording"):
        if rows := scope_rows(found, scope):
            print_rows(rows[:MOST_ROWS], tuple(rows[0]), title=f"by {scope}")
            if len(rows) > MOST_ROWS:
                say(f"{len(rows) - MOST_ROWS} more rows by {scope}; --json and --out have all")
    for line in gaps(found):
        say(line)
