"""The command that keeps a lake in shape."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from flows.cli_options import JsonFlag
from flows.cli_output import print_json, print_pairs, wants_json


def maintain(
    lake: str,
    *,
    grace_days: float = 7.0,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    json: JsonFlag = None,
) -> None:
    """Put many small files together and delete what nobody reads any more; what is read of the lake stays the same.

    Args:
        lake: Folder or URL of the lake.
        grace_days: How long what was replaced is kept for who still reads it.
        dry_run: Change nothing; say what there is to do.
        json: Print JSON, or text; text on a terminal by default.
    """
    from tasks.maintenance.maintain import maintain_lake
    from tasks.maintenance.telling import maintenance_rows

    rows = maintenance_rows(maintain_lake(lake, grace_days=grace_days, is_dry_run=dry_run))
    if wants_json(json):
        print_json(rows)
        return
    deleted = {f"  {folder}/": n for folder, n in rows.pop("deleted").items()}
    print_pairs(rows | deleted)
