"""Draw how time and memory of linking grow with the number of fingerprints, both axes logarithmic.

    python -m benchmarks.linking_plot linking.json [--out docs/linking-scale.svg]

Reads what ``benchmarks.linking scale --json`` wrote. Lines of slope 1, growth in proportion, are drawn through the
points in the middle.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from benchmarks.output import Row

_WIDTH, _PANEL_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 260, 74, 24, 44, 46
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .small { font-size: 12px; fill: #57606a }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .slope { stroke: #57606a; stroke-width: 1.5; stroke-dasharray: 5 4; fill: none }
  .line { stroke: #0969da; stroke-width: 2.5; fill: none }
  .point { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .slope { stroke: #9198a1 }
    .line { stroke: #4493f8 }
    .point { fill: #4493f8 }
  }
"""


class Panel(NamedTuple):
    """One diagram."""

    title: str
    points: tuple[tuple[float, float], ...]
    """Number of fingerprints, value; by number."""
    unit: str


class _Axis(NamedTuple):
    """A range of whole or half decades on a length."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        share = (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self) -> Iterator[float]:
        for power in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1):
            if self.low <= 10.0**power <= self.high * 1.001:
                yield 10.0**power


def main(argv: list[str] | None = None) -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser("linking_plot", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("json", type=Path, help="what benchmarks.linking wrote, mode scale included")
    parser.add_argument("--out", type=Path, default=Path("docs/linking-scale.svg"))
    options = parser.parse_args(argv)
    measured = json.loads(options.json.read_text())
    rows = sorted((row for row in measured["rows"] if row.get("mode") == "scale"), key=lambda row: row["count"])
    if len({row["count"] for row in rows}) < 2:
        raise SystemExit(f"{options.json}: needs mode scale with two numbers of fingerprints or more")
    options.out.write_text(drawing(rows, measured["machine"]))


def drawing(rows: Sequence[Row], machine: Row) -> str:
    """Return the SVG of measurements of mode scale, by count."""
    panels = [
        Panel("Time to link", _points(rows, "seconds", 1), "s"),
        Panel("Peak memory of the process", _points(rows, "peak MiB", 1024), "GiB"),
    ]
    height = len(panels) * _PANEL_HEIGHT + 28
    parts = [part for at, panel in enumerate(panels) for part in _drawn(panel, at * _PANEL_HEIGHT)]
    note = f"{machine['at'][:10]}, {rows[-1]['threads']} threads of {machine['cpus']} × {machine['cpu']}"
    parts.append(_text(_LEFT, height - 10, f"{note}; across: fingerprints; dashed: slope 1", "small", "start"))
    label = "Time and peak memory of linking against the number of fingerprints"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>\n"])


def _points(rows: Sequence[Row], name: str, per: float) -> tuple[tuple[float, float], ...]:
    return tuple((row["count"], row[name] / per) for row in rows)


def _drawn(panel: Panel, top: float) -> Iterator[str]:
    counts, values = zip(*panel.points, strict=True)
    middle = len(counts) // 2
    expected = [values[middle] / counts[middle] * count for count in (counts[0], counts[-1])]
    across = _Axis(counts[0] / 1.15, counts[-1] * 1.15, _LEFT, _WIDTH - _RIGHT)
    low, high = 10 ** math.floor(math.log10(min(*values, *expected))), max(*values, *expected) * 1.6
    up = _Axis(low, high, top + _PANEL_HEIGHT - _BOTTOM, top + _TOP)
    yield _text(_LEFT, top + 24, panel.title, "title", "start")
    for value in up.ticks():
        y = up.place(value)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(_LEFT - 8, y + 4, f"{value:g} {panel.unit}", "small", "end")
    for count in counts:
        x = across.place(count)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{up.start:.1f}" y2="{up.end:.1f}"/>'
        yield _text(x, up.start + 18, _short(count), "small", "middle")
    slope = [(across.place(counts[end]), up.place(expected[end])) for end in (0, -1)]
    yield f'<polyline class="slope" points="{_joined(slope)}"/>'
    places = [(across.place(count), up.place(value)) for count, value in panel.points]
    yield f'<polyline class="line" points="{_joined(places)}"/>'
    for (x, y), value in zip(places, values, strict=True):
        yield f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        yield _text(x, y - 10, f"{value:.2g}" if value < 100 else f"{value:.0f}", "small", "middle")


def _joined(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _text(x: float, y: float, text: str, style: str, anchor: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(count: float) -> str:
    """Return a number of fingerprints in few letters.

    >>> _short(300_000), _short(1_000_000)
    ('300 k', '1 M')
    """
    return f"{count / 1e6:g} M" if count >= 1e6 else f"{count / 1e3:g} k"


if __name__ == "__main__":
    main()
