"""From the spans that pyannote names to turns in whole milliseconds that keep what a diarizer promises."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from storage.records import Diarization, Turn, ms_from_seconds

Named = tuple[float, float, str]
"""Start and end in seconds, and a label."""
_Span = tuple[int, int]


def diarization_of(
    full: Iterable[Named], exclusive: Iterable[Named], *, clip_ms: int, max_speakers: int | None
) -> Diarization:
    """Return the turns in clip time: inside the clip, sorted, one speaker's never overlapping.

    Windows are padded beyond the end of a clip, and filled gaps let even exclusive spans overlap; neither leaves here.
    Speakers are ``S0``, ``S1``, … in the order in which they are first heard.

    Args:
        full: All spans, in any order.
        exclusive: Spans with at most one speaker at any time, or nearly so.
        clip_ms: Length of the clip.
        max_speakers: How many there may be; those who speak least are left out. None for any number.
    """
    spans = _spans_by_label(full, clip_ms)
    names = _names(spans, _most_heard(spans, max_speakers))
    kept = {names[label]: own for label, own in spans.items() if label in names}
    claims = {names[label]: own for label, own in _spans_by_label(exclusive, clip_ms).items() if label in names}
    alone = {name: _intersection(own, kept[name]) for name, own in claims.items()}
    return Diarization(turns=_turns(kept), exclusive=_turns(_one_at_a_time(alone)))


def _spans_by_label(named: Iterable[Named], clip_ms: int) -> dict[str, list[_Span]]:
    """Return spans in whole milliseconds inside the clip, of each label sorted and disjoint."""
    found: dict[str, list[_Span]] = defaultdict(list)
    for start_s, end_s, label in sorted(named):
        start_ms, end_ms = (min(max(ms_from_seconds(at), 0), clip_ms) for at in (start_s, end_s))
        own = found[label]
        if own and start_ms <= own[-1][1]:
            own[-1] = (own[-1][0], max(own[-1][1], end_ms))
        elif end_ms > start_ms:
            own.append((start_ms, end_ms))
    return {label: own for label, own in found.items() if own}


def _most_heard(spans: dict[str, list[_Span]], max_speakers: int | None) -> list[str]:
    heard_ms = Counter({label: sum(end - start for start, end in own) for label, own in spans.items()})
    order = sorted(heard_ms, key=lambda label: (-heard_ms[label], spans[label][0], label))
    return order[:max_speakers]


def _names(spans: dict[str, list[_Span]], labels: Sequence[str]) -> dict[str, str]:
    """Return ``S0`` for the label heard first, ``S1`` for the next, and so on."""
    order = sorted(labels, key=lambda label: (spans[label][0], label))
    return {label: f"S{number}" for number, label in enumerate(order)}


def _intersection(one: Sequence[_Span], other: Sequence[_Span]) -> list[_Span]:
    """Return the time in both; each is sorted and disjoint."""
    pairs = ((max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other if a[0] < b[1] and b[0] < a[1])
    return sorted(pairs)


def _one_at_a_time(spans: dict[str, list[_Span]]) -> dict[str, list[_Span]]:
    """Return the spans without overlap: where several claim a time, the one that began last has it.

    So a short answer inside a filled gap stays with who gave it.
    """
    kept: dict[str, list[_Span]] = defaultdict(list)
    for start_ms, end_ms, name in _claims(spans):
        own = kept[name]
        if own and own[-1][1] == start_ms:
            own[-1] = (own[-1][0], end_ms)
        else:
            own.append((start_ms, end_ms))
    return dict(kept)


def _claims(spans: dict[str, list[_Span]]) -> Iterator[tuple[int, int, str]]:
    """Yield each stretch of time between two edges with the name that has it."""
    begun = sorted((span, name) for name, own in spans.items() for span in own)
    edges = sorted({edge for span, _ in begun for edge in span})
    active: list[tuple[_Span, str]] = []
    upcoming = iter([*begun, None])
    following = next(upcoming)
    for i, edge in enumerate(edges[:-1]):
        while following is not None and following[0][0] <= edge:
            active.append(following)
            following = next(upcoming)
        active = [claim for claim in active if claim[0][1] > edge]
        if active:
            yield edge, edges[i + 1], active[-1][1]


def _turns(spans: dict[str, list[_Span]]) -> tuple[Turn, ...]:
    flat = sorted((start_ms, end_ms, name) for name, own in spans.items() for start_ms, end_ms in own)
    return tuple(Turn(start_ms=start_ms, end_ms=end_ms, speaker=name) for start_ms, end_ms, name in flat)
