"""Rows of a table by recording: a part's at a time, for a dictionary of a lake's would be larger than the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class RecordingRows:
    """A table whose rows are found by recording."""

    def __init__(self, table: pa.Table) -> None:
        """Sort a table by its ``recording_id``; of one recording rows stay in order."""
        codes = table["recording_id"].combine_chunks().dictionary_encode()
        names = np.array([name.encode() for name in codes.dictionary.to_pylist()], np.bytes_)
        order = np.argsort(names)
        rank = np.empty(len(names), np.int64)
        rank[order] = np.arange(len(names))
        place = rank[codes.indices.to_numpy()]
        self._names = names[order]
        self._edges = np.r_[0, np.cumsum(np.bincount(place, minlength=len(names)))]
        self.table = table.take(np.argsort(place, kind="stable"))

    def of(self, recording_ids: Sequence[str]) -> pa.Table:
        """Return the rows of some recordings, in the order of these; those that have none are left out."""
        wanted = np.array([name.encode() for name in recording_ids], np.bytes_)
        place = np.searchsorted(self._names, wanted)
        is_there = place < len(self._names)
        is_there[is_there] = self._names[place[is_there]] == wanted[is_there]
        place = place[is_there]
        first, count = self._edges[place], self._edges[place + 1] - self._edges[place]
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return self.table.take(np.repeat(first, count) + within)


def split_by_recording(table: pa.Table) -> Mapping[str, pa.Table]:
    """Return each recording's rows, in their order."""
    if not len(table):
        return {}
    codes = table["recording_id"].combine_chunks().dictionary_encode()
    order = pc.sort_indices(codes.indices)  # stable
    counts = pc.value_counts(codes.indices.take(order))
    recording_ids = codes.dictionary.take(counts.field("values")).to_pylist()
    ends = np.cumsum(counts.field("counts").to_numpy())
    starts = ends - counts.field("counts").to_numpy()
    spans = zip(starts.tolist(), ends.tolist(), strict=True)
    return _Slices(table.take(order), dict(zip(recording_ids, spans, strict=True)))


class _Slices(Mapping[str, pa.Table]):
    """Rows by recording, cut out when they are asked for: ten thousand tables would be larger than what is in them."""

    def __init__(self, ordered: pa.Table, spans: Mapping[str, tuple[int, int]]) -> None:
        self._ordered, self._spans = ordered, spans

    def __getitem__(self, recording_id: str) -> pa.Table:
        start, end = self._spans[recording_id]
        return self._ordered.slice(start, end - start)

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)
