"""Where two diarizers differ about who speaks, and for how long.

What a diarizer calls a voice means something only inside its chunk. So in each chunk the labels of one stand for those
of the other that they share most time with (Hungarian assignment), as in the diarization error rate; but neither is
the truth: where one hears two people and the other three, one of three is in doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.opinions.records import Comparison, Disagreement

_SHORT_MS = 250
"""A disagreement up to this is where a turn begins or ends: it counts, and is not worth a row."""


class LabelledTurn(NamedTuple):
    """A turn with a label that means something in its chunk."""

    channel: int
    chunk_index: int
    start_ms: int
    end_ms: int
    label: str


class _Moment(NamedTuple):
    """A span in which nobody begins or ends, and whom each hears, in the names of one."""

    start_ms: int
    end_ms: int
    one: str
    other: str
    n_speakers: int
    n_differing: int


def compare_turns(one: Sequence[LabelledTurn], other: Sequence[LabelledTurn]) -> Comparison:
    """Return for how long, and where, other people are heard; chunks of both are the same.

    Texts are labels; those of the other are told as the label of one that they stand for, in brackets if there is none.
    """
    left, right = _by_chunk(one), _by_chunk(other)
    chunks = sorted(left.keys() | right.keys())
    moments = [moment for chunk in chunks for moment in _moments(left.get(chunk, []), right.get(chunk, []))]
    return Comparison(
        n_compared=sum((moment.end_ms - moment.start_ms) * moment.n_speakers for moment in moments),
        n_differing=sum((moment.end_ms - moment.start_ms) * moment.n_differing for moment in moments),
        disagreements=tuple(sorted(_spans(moments), key=lambda span: (span.start_ms, span.end_ms))),
    )


def _by_chunk(turns: Iterable[LabelledTurn]) -> dict[tuple[int, int], list[LabelledTurn]]:
    chunks: dict[tuple[int, int], list[LabelledTurn]] = {}
    for turn in turns:
        chunks.setdefault((turn.channel, turn.chunk_index), []).append(turn)
    return chunks


def _moments(one: Sequence[LabelledTurn], other: Sequence[LabelledTurn]) -> Iterator[_Moment]:
    """Yield the spans of one chunk between any two boundaries."""
    bounds = np.unique([time_ms for turn in (*one, *other) for time_ms in (turn.start_ms, turn.end_ms)])
    lengths = np.diff(bounds)
    names, heard = _heard(one, bounds)
    other_names, other_heard = _heard(other, bounds)
    stands_for = _best_mapping(heard, other_heard, lengths)
    shown = [names[stands_for[k]] if k in stands_for else f"({name})" for k, name in enumerate(other_names)]
    n_speakers = np.maximum(heard.sum(axis=0), other_heard.sum(axis=0))
    n_same = np.zeros(len(lengths), dtype=np.int64)
    for k, i in stands_for.items():
        n_same += heard[i] & other_heard[k]
    for m in range(len(lengths)):
        yield _Moment(
            start_ms=int(bounds[m]),
            end_ms=int(bounds[m + 1]),
            one=_together(names, heard[:, m]),
            other=_together(shown, other_heard[:, m]),
            n_speakers=int(n_speakers[m]),
            n_differing=int(n_speakers[m] - n_same[m]),
        )


def _heard(turns: Sequence[LabelledTurn], bounds: NDArray[np.int64]) -> tuple[list[str], NDArray[np.bool_]]:
    """Return the labels, and for each whether it is heard between two bounds, shape ``(labels, bounds - 1)``."""
    names = sorted({turn.label for turn in turns})
    heard = np.zeros((len(names), max(len(bounds) - 1, 0)), dtype=np.bool_)
    for turn in turns:
        first, last = np.searchsorted(bounds, [turn.start_ms, turn.end_ms])
        heard[names.index(turn.label), first:last] = True
    return names, heard


def _best_mapping(one: NDArray[np.bool_], other: NDArray[np.bool_], lengths: NDArray[np.int64]) -> dict[int, int]:
    """Return for labels of the other the label of one, so that they share as much time as can be."""
    from scipy.optimize import linear_sum_assignment

    shared = (one * lengths).astype(np.float64) @ other.T.astype(np.float64)
    rows, columns = linear_sum_assignment(shared, maximize=True)
    return {int(k): int(i) for i, k in zip(rows, columns, strict=True) if shared[i, k] > 0}


def _together(names: Sequence[str], is_heard: NDArray[np.bool_]) -> str:
    return ", ".join(name for name, heard in zip(names, is_heard, strict=True) if heard)


def _spans(moments: Sequence[_Moment]) -> Iterator[Disagreement]:
    """Yield the longer spans in which the same people are in doubt."""
    joined: list[_Moment] = []
    for moment in moments:
        before = joined[-1] if joined else None
        if before and before.end_ms == moment.start_ms and (before.one, before.other) == (moment.one, moment.other):
            joined[-1] = before._replace(end_ms=moment.end_ms)
        else:
            joined.append(moment)
    for moment in joined:
        if moment.n_differing and moment.end_ms - moment.start_ms > _SHORT_MS:
            yield Disagreement(
                start_ms=moment.start_ms, end_ms=moment.end_ms, one_text=moment.one, other_text=moment.other
            )
