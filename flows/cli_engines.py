"""Commands that say which engines there are, and whether they work here."""

from __future__ import annotations

from typing import Any

from flows.cli_options import JsonFlag
from flows.cli_output import print_json, print_pairs, print_rows, wants_json

_CONFIGURATION = 3


def engines(*, json: JsonFlag = None) -> int:
    """List profiles and engines: what is installed, and what each needs.

    Args:
        json: Print JSON, or tables; tables on a terminal by default.
    """
    from flows.survey import engine_rows, profile_rows

    rows = {"profiles": profile_rows(), "engines": engine_rows()}
    if wants_json(json):
        print_json(rows)
        return 0
    print_rows(rows["profiles"], ("profile", "summary", "can_run", "problem"), title="profiles, best first")
    columns = ("kind", "engine", "installed", "summary", "languages", "needs")
    print_rows(rows["engines"], columns, title="engines")
    return 0


def doctor(*, json: JsonFlag = None) -> int:
    """Try every engine on a second of sound, and say what is wrong and the remedy; writes nothing.

    Args:
        json: Print JSON, or tables; tables on a terminal by default.
    """
    from flows.survey import machine, profile_rows, tried_engines

    found: dict[str, Any] = {"machine": machine(), "engines": tried_engines(), "profiles": profile_rows()}
    if wants_json(json):
        print_json(found)
    else:
        print_pairs(found["machine"])
        print_rows(found["engines"], ("kind", "engine", "works", "result", "seconds", "remedy"), title="engines")
        print_rows(found["profiles"], ("profile", "can_run", "problem"), title="profiles, best first")
    return 0 if any(row["can_run"] for row in found["profiles"]) else _CONFIGURATION
