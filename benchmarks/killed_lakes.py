"""What must hold of a lake whose runs were killed: the rows of one that nobody disturbed, each once."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.kill_targets import facts_without_commit, names_below
from storage.catalog import open_catalog
from storage.store import Store
from tasks.engines.fake_journal import Noted
from tasks.planning.plan import plan_run
from tasks.planning.spec import RunSpec
from tasks.reading.accounting import coverage_json, prove_coverage
from tests.archives import committed_facts
from tests.lakes import SHOWN_VIEWS, query

Row = dict[str, Any]
Rows = dict[str, list[Row]]

_TEMPORARY = ".tmp-"
_OLD_S = 100_000
_IDS = frozenset({"speaker_id", "other_id", "merged_into"})
_OF_THE_RUN = frozenset({"run_id", "at", "first_seen", "last_seen", "since"})
_MIRROR = """
    SELECT count(*), count(DISTINCT (recording_id, utterance_index)),
           count(*) FILTER ((recording_id, utterance_index, start_ms, text) NOT IN (
               SELECT (recording_id, utterance_index, start_ms, text) FROM transcripts))
    FROM read_parquet('{}/transcripts/*.parquet')"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that a finished lake says."""

    rows: Rows
    facts: dict[str, list[str]]
    coverage_problems: tuple[str, ...]
    n_publications: int


def contents_of(lake: Path) -> Contents:
    """Return what a lake says, without what names a run or a moment."""
    proof = coverage_json(prove_coverage(str(lake)))
    return Contents(
        rows=_rows_of(lake),
        facts=committed_facts(lake),
        coverage_problems=tuple(sorted(f"{one['source']} {one['problem']}" for one in proof["problems"])),
        n_publications=len(list((lake / "publications").glob("*.json"))),
    )


def _rows_of(lake: Path) -> Rows:
    rows: Rows = {}
    with open_catalog(str(lake)) as catalog:
        for view in SHOWN_VIEWS:
            table = catalog.sql(f"SELECT * FROM {view}").to_arrow_table()
            rows[view] = table.select([name for name in table.column_names if name not in _OF_THE_RUN]).to_pylist()
    return rows


def problems_of(lake: Path, spec: RunSpec, expected: Contents) -> tuple[list[str], bool]:
    """Return what is wrong with a finished lake, and whether speakers had to be renamed before it was right.

    Where a run published although something had been killed in it, speakers were first met in another order than in
    the undisturbed lake, and kept the IDs that they got then.
    """
    found = contents_of(lake)
    problems, is_renamed = _differences(found, expected)
    if found.coverage_problems != expected.coverage_problems:
        problems.append(f"coverage: {found.coverage_problems}")
    if not plan_run(spec).is_current:
        problems.append("a run would not be the last one")
    n_rows, n_keys, n_foreign = query(lake, _MIRROR.format(lake))[0]
    if not n_rows == n_keys == len(found.rows["transcripts"]) or n_foreign:
        problems.append(f"transcripts/: {n_rows} rows, {n_keys} keys, {n_foreign} that the view does not have")
    return problems, is_renamed


def _differences(found: Contents, expected: Contents) -> tuple[list[str], bool]:
    facts = [f"facts {name}" for name, rows in expected.facts.items() if found.facts[name] != rows]
    views = [f"rows of {name}" for name in expected.rows if _texts(found.rows[name]) != _texts(expected.rows[name])]
    if not views or found.n_publications == expected.n_publications:
        return facts + views, False
    ours, theirs = with_speakers_renamed(found.rows), with_speakers_renamed(expected.rows)
    renamed = [name for name in theirs if _texts(ours[name]) != _texts(theirs[name])]
    return facts + [f"rows of {name}, whatever speakers are called" for name in renamed], True


def _texts(rows: Sequence[Row]) -> list[str]:
    return sorted(map(repr, rows))


def with_speakers_renamed(rows: Rows) -> Rows:
    """Return the rows of all views with each speaker called by the first voice that is theirs."""
    called: dict[str, str] = {}
    for link in sorted(rows["links"], key=lambda one: (one["recording_id"], one["local_speaker"])):
        if link["speaker_id"] is not None:
            called.setdefault(link["speaker_id"], f"{link['recording_id']}/{link['local_speaker']}")
    living = {**rows, "speakers": [one for one in rows["speakers"] if one["speaker_id"] in called]}
    return {
        view: [{name: called.get(one, one) if name in _IDS else one for name, one in row.items()} for row in some]
        for view, some in living.items()
    }


def leftovers_of(lake: Path) -> tuple[Counter[str], list[str]]:
    """Return how many files of each kind kills have left, and those that cleaning up would not find.

    Temporary files are made old, cleaned up, and gone afterwards.
    """
    temporary = [Path(name) for name in names_below(lake) if f"/{_TEMPORARY}" in name]
    count = Counter({"temporary files": len(temporary), "commits never made": len(facts_without_commit(lake))})
    store = Store(str(lake))
    for path in temporary:
        os.utime(path, (path.stat().st_mtime - _OLD_S,) * 2)
    for folder in {path.parent for path in temporary}:
        store.delete_leftovers(str(folder.relative_to(lake)))
    return count, [str(path.relative_to(lake)) for path in temporary if path.exists()]


def lost_work(journal: Sequence[Noted], expected: Counter[str]) -> dict[int, int]:
    """Return how many milliseconds of what each process took were taken again later.

    Args:
        journal: All that all processes took, in order.
        expected: How often each clip is taken where nothing is killed.
    """
    takers: dict[str, list[Noted]] = defaultdict(list)
    for noted in journal:
        takers[noted.digest].append(noted)
    lost: dict[int, int] = Counter()
    for digest, several in takers.items():
        for noted in several[: len(several) - expected[digest]]:
            lost[noted.pid] += noted.duration_ms
    return lost
