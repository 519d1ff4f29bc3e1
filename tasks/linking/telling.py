"""What linking changed and how clear it was, as a page for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storage.lake import Lake
from storage.schemas import WHOLES
from tasks.linking.lake import LinkReport

_MOST_CHANGES = 50
_WIDEST_BAR = 40
_KINDS = {"own": "█", "rival": "░"}

Row = Mapping[str, Any]


def link_page(lake_url: str, report: LinkReport) -> str:
    """Return what changed, and a picture of what speaks for links with the decision in it, in Markdown."""
    lake = Lake(lake_url)
    lineage = lake.store.read_table(report.wholes["lineage"], WHOLES["lineage"])
    scores = lake.store.read_table(report.wholes["scores"], WHOLES["scores"])
    changes = lineage.filter(pc.equal(lineage["publication"], report.base_number + 1)).to_pylist()
    return "\n\n".join([_counts(report), _changes(changes), *_pictures(scores)]) + "\n"


def _counts(report: LinkReport) -> str:
    rows = [
        ("speakers", f"{report.n_speakers:,}, of whom {report.n_fragments:,} are fragments"),
        ("new", f"{report.n_new:,}"),
        ("grown", f"{report.n_grown:,}"),
        ("merged", f"{report.n_merged:,}"),
        ("split", f"{report.n_split:,}"),
        ("unlinked", f"{report.n_unlinked:,} of {report.n_local_speakers:,} local speakers"),
        ("linked", "everything" if report.extent == "whole" else "what is new, with the people known"),
        ("decisions set aside", f"{report.n_set_aside:,}"),
        ("decided voices that are heard no more", f"{report.n_lost_anchors:,}"),
    ]
    return "# Speakers\n\n| | |\n| --- | --- |\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)


def _changes(changes: Iterable[Row]) -> str:
    """Return the changes that may surprise; those who are only new are counted above."""
    telling = {"merged_into": "was merged into", "split": "was taken from", "gone": "is heard no more"}
    lines = [
        f"- `{row['speaker_id']}` {telling[row['change']]}" + (f" `{row['other_id']}`" if row["other_id"] else "")
        for row in changes
        if row["change"] in telling
    ]
    if not lines:
        return "No speaker was merged, split or lost."
    more = f"\n\n… and {len(lines) - _MOST_CHANGES:,} more." if len(lines) > _MOST_CHANGES else ""
    return "## Changes\n\n" + "\n".join(lines[:_MOST_CHANGES]) + more


def _pictures(scores: pa.Table) -> list[str]:
    rows = scores.to_pylist()
    models = sorted({row["model"] for row in rows})
    return [_picture(model, [row for row in rows if row["model"] == model]) for model in models]


def _picture(model: str, rows: list[Row]) -> str:
    counts = {
        kind: Counter({row["low_nats"]: row["n_voices"] for row in rows if row["kind"] == kind}) for kind in _KINDS
    }
    lows = sorted({row["low_nats"] for row in rows})
    largest = max((row["n_voices"] for row in rows), default=1)
    step = min((b - a for a, b in pairwise(lows)), default=1)
    lines = []
    for low in range(lows[0], lows[-1] + 1, step) if lows else ():
        if low == 0:
            lines.append(f"{'decision':>9} ┼{'─' * _WIDEST_BAR}")
        lines += [
            f"{low:>9} │{mark * max(1, round(_WIDEST_BAR * counts[kind][low] / largest))} {counts[kind][low]:,}"
            for kind, mark in _KINDS.items()
            if counts[kind][low]
        ]
    legend = "Local speakers by what speaks for their own speaker (`█`) and for the likeliest other (`░`), in nats."
    return f"## How clear links are: {model}\n\n{legend}\n\n```text\n" + "\n".join(lines) + "\n```"
