"""What of a lake nobody reads any more, nor will: told from listings, by the clock of the storage.

A file goes when it is old *and* nothing that counts names it. What counts are the manifests of commits and compactions,
the latest publications, what ``link_speakers`` left to be published, and the plans of runs. The grace time is how long
somebody may go on reading what he saw at its beginning. Folders are listed before the manifests that name what is in
them, so that whatever is written meanwhile is young or named.

Facts of other recipes, decisions, names, enrolled voices, choices, comparisons and records of runs are never deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from storage.compactions import FOLDER as COMPACTIONS
from storage.compactions import INDEX, LONGEST_WRITE, compaction_key, read_compactions
from storage.lake import Lake
from storage.listings import Entry
from storage.publishing import RENEWED_AFTER
from storage.schemas import FACTS

Sizes = Mapping[str, int]
"""Bytes of objects, by key."""

_LONGEST_RUN = timedelta(days=30)
"""After which a run without an end was killed."""
_KEPT_PUBLICATIONS = 2
"""That are kept however old they are: the latest, and the one before to compare it with."""
_OF_OTHERS = frozenset({"packs"})
"""Folders under ``published/`` that their own maker cleans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """What is old by now."""

    now: datetime
    grace: timedelta

    def is_past(self, modified: datetime, at_least: timedelta = timedelta(0)) -> bool:
        """Return whether something was written, or replaced, so long ago that nobody reads it."""
        return self.now - modified >= max(self.grace, at_least)


def stale(lake: Lake, age: Age) -> tuple[dict[str, int], dict[str, int]]:
    """Return what may be deleted, with sizes: manifests, which are to go first, and what they name.

    Args:
        lake: The lake.
        age: What is old.

    Raises:
        StorageError: the lake cannot be read.
    """
    manifests, facts = _stale_facts(lake, age)
    published = _in_folders(
        lake, [f"published/{name}" for name in lake.store.list("published") if name not in _OF_OTHERS]
    )
    publications, named = _publications(lake, age)
    links, linked = _links(lake, age)
    unnamed = {key: one for key, one in published.items() if key not in named | linked}
    return (
        manifests | publications | links | _stale_plans(lake, age),
        facts | _old(unnamed, age, LONGEST_WRITE + RENEWED_AFTER) | _stray_disagreements(lake, age),
    )


def is_replaced(
    commits: Iterable[str],
    homes: Mapping[str, Collection[str]],
    written: Mapping[str, datetime],
    age: Age,
    own: str = "",
) -> bool:
    """Return whether whoever may still read saw all these commits elsewhere already, so that their own files go. Pure.

    Args:
        commits: Those in question.
        homes: The compactions that hold each commit; it is read in the last by name.
        written: When compactions were.
        age: What is old.
        own: The compaction in question, if it is one.
    """
    return all(
        any(home > own and home in written and age.is_past(written[home]) for home in homes.get(name, ()))
        for name in commits
    )


def _stale_facts(lake: Lake, age: Age) -> tuple[dict[str, int], dict[str, int]]:
    """Return manifests that compactions replaced, and files of these and of writers that were killed."""
    files = _in_folders(lake, [f"facts/{table}" for table in (*INDEX, *FACTS)])
    commits = {name.removesuffix(".json"): one for name, one in lake.store.entries("commits").items()}
    entries = {name.removesuffix(".json"): one for name, one in lake.store.entries(COMPACTIONS).items()}
    compactions = [one for one in read_compactions(lake.store) if one.compaction_id in entries]
    homes: dict[str, list[str]] = defaultdict(list)
    for one in compactions:
        for name in one.commits:
            homes[name].append(one.compaction_id)
    whole = [one.compaction_id for one in compactions if files.keys() >= set(one.files.values())]
    written = {name: entries[name].modified for name in whole}  # nothing goes for a copy that is not all there
    replaced = {name for name in commits if is_replaced([name], homes, written, age)}
    manifests = {f"commits/{name}.json": commits[name].size_bytes for name in replaced}
    for one in compactions:
        if is_replaced(one.commits, homes, written, age, one.compaction_id):
            replaced.add(one.compaction_id)
            manifests[compaction_key(one.compaction_id)] = entries[one.compaction_id].size_bytes
    known = commits.keys() | entries.keys()
    gone = {key: one.size_bytes for key, one in files.items() if _stem(key) in replaced}
    return manifests, gone | _old(
        {key: one for key, one in files.items() if _stem(key) not in known}, age, LONGEST_WRITE
    )


def _publications(lake: Lake, age: Age) -> tuple[dict[str, int], set[str]]:
    """Return publications that were followed by another so long ago, and the files of all others."""
    entries = {name: one for name, one in lake.store.entries("publications").items() if name.endswith(".json")}
    names = list(entries)
    followed = dict(pairwise(names))
    gone = {name for name in names[:-_KEPT_PUBLICATIONS] if age.is_past(entries[followed[name]].modified)}
    kept = lake.store.read_jsons("publications", [name for name in names if name not in gone]).values()
    named = {
        key
        for one in kept
        for files in (one["wholes"], *(part["files"] for part in one["parts"]))
        for key in files.values()
    }
    return {f"publications/{name}": entries[name].size_bytes for name in gone}, named


def _links(lake: Lake, age: Age) -> tuple[dict[str, int], set[str]]:
    """Return what was linked and is of no use any more, and the files of what may still be published."""
    entries = lake.store.entries("linked")
    found = lake.store.read_jsons("linked", list(entries))
    publication = lake.latest_publication()
    number = publication.number if publication else 0
    kept = {name for name, one in found.items() if one["base_number"] >= number}
    named = {key for name in kept for key in found[name]["wholes"].values()}
    return _old({f"linked/{name}": one for name, one in entries.items() if name not in kept}, age), named


def _stale_plans(lake: Lake, age: Age) -> dict[str, int]:
    """Return plans, with what workers said of their shards, of runs that ended or were killed.

    The latest of each archive stays.
    """
    entries = {name.removesuffix(".json"): one for name, one in lake.store.entries("plans").items()}
    runs = {one.run_id: one for one in lake.runs()}
    latest = {runs[name].settings.get("archive"): name for name in sorted(entries) if name in runs}
    kept = {*latest.values(), max(entries, default="")}
    stale = {
        name: one
        for name, one in entries.items()
        if name not in kept
        and age.is_past(one.modified, timedelta(0) if name in runs and runs[name].ended_at else _LONGEST_RUN)
    }
    lines = {name.removesuffix(".jsonl"): one for name, one in lake.store.entries("planned").items()}
    claims = _in_folders(lake, [f"claims/{name}" for name in lake.store.list("claims") if name in stale])
    nameless = {name: one for name, one in lines.items() if name not in entries}
    return (
        {f"plans/{name}.json": one.size_bytes for name, one in stale.items()}
        | {f"planned/{name}.jsonl": one.size_bytes for name, one in lines.items() if name in stale}
        | _old({f"planned/{name}.jsonl": one for name, one in nameless.items()}, age, LONGEST_WRITE)
        | {key: one.size_bytes for key, one in claims.items()}
    )


def _stray_disagreements(lake: Lake, age: Age) -> dict[str, int]:
    """Return what a comparison that was killed has left."""
    found = _in_folders(lake, ["disagreements"])
    complete = {f"disagreements/{name}" for name in lake.store.list("comparisons")}
    return _old({key: one for key, one in found.items() if key not in complete}, age, LONGEST_WRITE)


def _in_folders(lake: Lake, folders: Iterable[str]) -> dict[str, Entry]:
    return {f"{folder}/{name}": one for folder in folders for name, one in lake.store.entries(folder).items()}


def _old(entries: Mapping[str, Entry], age: Age, at_least: timedelta = timedelta(0)) -> dict[str, int]:
    return {key: one.size_bytes for key, one in entries.items() if age.is_past(one.modified, at_least)}


def _stem(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".parquet")
