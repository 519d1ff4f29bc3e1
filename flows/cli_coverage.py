"""What `voxlake status --coverage` shows."""

from __future__ import annotations

import sys

from flows.cli_output import print_json, print_pairs, print_rows, wants_json


def show_coverage(lake: str, recording: str | None, *, json: bool | None) -> bool:
    """Print what became of all the time of a lake, or of one recording; return whether every millisecond has a status.

    Raises:
        ConfigError: there is no such lake or recording.
    """
    from tasks.reading.accounting import coverage_json, prove_coverage

    proof = coverage_json(prove_coverage(lake, recording))
    if wants_json(json):
        print_json(proof)
        return bool(proof["is_complete"])
    print_pairs({name: proof[name] for name in ("lake", "n_recordings", "duration_ms", "covered_ms")})
    print_rows(proof["statuses"], ("status", "n_spans", "duration_ms", "hours", "share"), title="coverage")
    if proof["problems"]:
        print_rows(proof["problems"], ("source", "problem", "start_ms", "end_ms"), title="not complete")
    else:
        sys.stdout.write("complete: every millisecond has one status\n")
    return bool(proof["is_complete"])
