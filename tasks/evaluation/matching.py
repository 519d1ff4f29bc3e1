"""Which recording a reference is about: by recording_id, or by any of a recording's sources, written as people do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from storage.records import Span
from tasks.evaluation.references import Reference, ReferencePart, whole_reference
from tasks.evaluation.regions import united

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
            for tier, names in enumerate(_names(source)):
                for name in names:
                    self._of[tier][name].add(recording_id)

    def find(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the recordings meant by the first of the names that means any; the closest way to write it counts."""
        for name in names:
            for tier in self._of:
                if found := tier.get(name):
                    return tuple(sorted(found))
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What is known of the recordings of a lake, by recording_id."""

    references: Mapping[str, Reference]
    regions: Mapping[str, tuple[Span, ...]]
    missing: tuple[Unmatched, ...]
    """References and UEM lines that are about no recording of the lake, or nobody knows about which."""


def match(names: Names, parts: Iterable[ReferencePart], regions: Mapping[str, tuple[Span, ...]]) -> Matched:
    """Return which recording each part of a reference, and each region of a UEM file, is about.

    Raises:
        ConfigError: two files of one format are about one recording.
    """
    missing: list[Unmatched] = []

    def find(called: tuple[str, ...], path: str) -> str | None:
        found = names.find(called)
        if len(found) == 1:
            return found[0]
        reason = f"{len(found)} recordings are called so" if found else "no recording is called so"
        missing.append(Unmatched(name=called[0] if called else "", path=path, reason=reason))
        return None

    parts_of: dict[str, list[ReferencePart]] = defaultdict(list)
    for part in parts:
        if recording_id := find(part.names, part.path):
            parts_of[recording_id].append(part)
    regions_of: dict[str, list[Span]] = defaultdict(list)
    for name, spans in regions.items():
        if recording_id := find((name,), "UEM"):
            regions_of[recording_id] += spans
    return Matched(
        references={recording_id: whole_reference(own) for recording_id, own in parts_of.items()},
        regions={recording_id: united(spans) for recording_id, spans in regions_of.items()},
        missing=tuple(missing),
    )


def _names(source: str) -> tuple[tuple[str, ...], ...]:
    """Return what a source may be called, the closest first.

    >>> _names("calls/ferry.mix.wav")[1:]
    (('calls/ferry.mix',), ('calls_ferry.mix.wav', 'calls_ferry.mix'), ('ferry.mix.wav', 'ferry.mix'), ('ferry',))
    """
    last = source.rpartition("/")[2]
    stem = source.rpartition(".")[0] if "." in last else source
    flat = (source.replace("/", "_"), stem.replace("/", "_"))
    return (source,), (stem,), flat, (last, stem.rpartition("/")[2]), (last.partition(".")[0],)
