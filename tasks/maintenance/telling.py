"""Say what maintenance did, to people and to programs."""

from __future__ import annotations

from typing import Any

from storage.addresses import public_url
from tasks.maintenance.maintain import MaintainReport

_MB = 1_000_000


def maintenance_rows(report: MaintainReport) -> dict[str, Any]:
    """Return what was done, or would be, in names and numbers."""
    return {
        "dry_run": report.is_dry_run,
        "commits_compacted": report.compacted.n_commits,
        "compactions_written": report.compacted.n_compactions,
        "parts_packed": report.packed.n_parts,
        "packs_written": report.packed.n_packs,
        "files_before": report.n_files_before,
        "files_after": report.n_files_after,
        "files_deleted": report.n_deleted,
        "freed_mb": round(report.freed_bytes / _MB, 3),
        "deleted": dict(report.deleted),
    }


def maintenance_line(report: MaintainReport) -> str:
    """Return what was done, or would be, in one line."""
    would = "would be " if report.is_dry_run else ""
    return (
        f"{report.compacted.n_commits} commits {would}compacted, {report.packed.n_parts} parts {would}packed; "
        f"{report.n_deleted} of {report.n_files_before} files "
        f"{would}deleted, {report.freed_bytes / _MB:.1f} MB"
    )


def maintenance_page(lake: str, report: MaintainReport) -> str:
    """Return what was done, or would be, as Markdown."""
    rows = [
        f"| {name.replace('_', ' ')} | {value} |"
        for name, value in maintenance_rows(report).items()
        if name != "deleted"
    ]
    deleted = [f"| deleted under `{folder}/` | {n} |" for folder, n in report.deleted.items()]
    return "\n".join([f"# {public_url(lake)}", "", "| what | |", "| --- | --- |", *rows, *deleted, ""])
