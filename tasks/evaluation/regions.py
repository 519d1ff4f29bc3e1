"""Stretches of time and turns within them: what is scored, and what is cut away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from storage.formats.document import DocumentTurn
from storage.records import Span


def united(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the time that any of the spans covers, sorted, none overlapping."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start_ms < joined[-1].end_ms:
            joined[-1] = Span(start_ms=joined[-1].start_ms, end_ms=max(joined[-1].end_ms, span.end_ms))
        elif span.duration_ms:
            joined.append(span)
    return tuple(joined)


def without_collars(regions: Sequence[Span], reference: Iterable[DocumentTurn], collar_ms: int) -> tuple[Span, ...]:
    """Return the regions without what lies around the starts and ends of the reference's turns.

    Args:
        regions: Sorted, none overlapping.
        reference: Turns.
        collar_ms: On either side of each start and end, as NIST counts it.
    """
    edges = {edge for turn in reference for edge in (turn.start_ms, turn.end_ms)}
    holes = united(Span(start_ms=edge - collar_ms, end_ms=edge + collar_ms) for edge in edges)
    kept: list[Span] = []
    for region in regions:
        at_ms = region.start_ms
        for hole in holes:
            if hole.start_ms > at_ms:
                kept.append(Span(start_ms=at_ms, end_ms=max(at_ms, min(hole.start_ms, region.end_ms))))
            at_ms = max(at_ms, hole.end_ms)
        kept.append(Span(start_ms=min(at_ms, region.end_ms), end_ms=region.end_ms))
    return tuple(span for span in kept if span.duration_ms)


def each_once(turns: Iterable[DocumentTurn]) -> tuple[DocumentTurn, ...]:
    """Return the turns such that nobody overlaps with themselves: each speaker talks once at a time."""
    spans: dict[str | None, list[Span]] = defaultdict(list)
    for turn in turns:
        spans[turn.speaker].append(Span(start_ms=turn.start_ms, end_ms=turn.end_ms))
    return tuple(
        DocumentTurn(start_ms=span.start_ms, end_ms=span.end_ms, speaker=speaker)
        for speaker, own in spans.items()
        for span in united(own)
    )


def within(turns: Iterable[DocumentTurn], regions: Sequence[Span]) -> tuple[DocumentTurn, ...]:
    """Return what of the turns lies in the regions, which are sorted and do not overlap."""
    cut: list[DocumentTurn] = []
    first = 0
    for turn in sorted(turns, key=lambda turn: turn.start_ms):
        while first < len(regions) and regions[first].end_ms <= turn.start_ms:
            first += 1
        for region in regions[first:]:
            if region.start_ms >= turn.end_ms:
                break
            start_ms, end_ms = max(turn.start_ms, region.start_ms), min(turn.end_ms, region.end_ms)
            if start_ms < end_ms:
                cut.append(DocumentTurn(start_ms=start_ms, end_ms=end_ms, speaker=turn.speaker))
    return tuple(cut)
