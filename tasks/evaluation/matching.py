"""Which recording a reference is about: by recording_id, or by any of a recording's sources, written as people do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TIERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """What names no recording of the lake, or several."""

    name: str
    path: str
    """File that says so."""
    reason: str


class Names:
    """What the recordings of a lake may be called."""

    def __init__(self, sources: Iterable[tuple[str, str]]) -> None:
        """Take recording IDs and their sources; a recording may have several."""
        self._of: tuple[dict[str, set[str]], ...] = tuple(defaultdict(set) for _ in range(_TIERS))
        for recording_id, source in sources:
            self._of[0][recording_id].add(recording_id)
            for tier, name in enumerate(_names(source)):
                self._of[tier][name].add(recording_id)

    def find(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the recordings meant by the first of the names that means any; the closest way to write it counts."""
        for name in names:
            for tier in self._of:
                if found := tier.get(name):
                    return tuple(sorted(found))
        return ()


def matched(
    names: Names, wanted: Mapping[tuple[str, ...], str]
) -> tuple[dict[tuple[str, ...], str], tuple[Unmatched, ...]]:
    """Return the recording of each thing that has one, by its names, and what has none.

    Args:
        names: Of the lake's recordings.
        wanted: Path of the file by the names that what it speaks of may have.
    """
    recording_of: dict[tuple[str, ...], str] = {}
    unmatched: list[Unmatched] = []
    for called, path in wanted.items():
        found = names.find(called)
        if len(found) == 1:
            recording_of[called] = found[0]
        else:
            reason = f"{len(found)} recordings are called so" if found else "no recording is called so"
            unmatched.append(Unmatched(name=called[0] if called else "", path=path, reason=reason))
    return recording_of, tuple(unmatched)


def _names(source: str) -> tuple[str, ...]:
    """Return a source's names, the closest first.

    >>> _names("calls/ferry.mix.wav")
    ('calls/ferry.mix.wav', 'calls/ferry.mix', 'calls_ferry.mix', 'ferry.mix', 'ferry')
    """
    stem = source.rpartition(".")[0] if "." in source.rpartition("/")[2] else source
    last = stem.rpartition("/")[2]
    return source, stem, stem.replace("/", "_"), last, last.partition(".")[0]
