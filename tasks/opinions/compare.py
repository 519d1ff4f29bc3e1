"""Compare the facts of two recipes over a lake; what was compared before stays as it is, since facts never change."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.comparisons import ComparedKey, compared_keys, write_compared
from storage.errors import ConfigError
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.recipes import Stage
from storage.recording_rows import split_by_recording
from tasks.opinions.pairs import SEE_LIST, find_recipe, pairs_to_compare, read_opinions
from tasks.opinions.records import Comparison
from tasks.opinions.turns import LabelledTurn, compare_turns
from tasks.opinions.words import TimedWords, compare_words

Row = dict[str, Any]

_BATCH_ROWS = 100_000
"""Disagreements, or recordings, that are written together."""
_TABLE: Mapping[Stage, str] = {"transcribe": "words", "diarize": "turns"}


def compare_lake(lake_url: str, stages: Collection[Stage], recipes: tuple[str, str] | None = None) -> list[Row]:
    """Compare what was not compared yet, keep it in the lake, and return how much each recording's opinions differ.

    Args:
        lake_url: The lake.
        stages: Of these, what is published with each other recipe that recordings have.
        recipes: Beginnings of two recipes of one stage to compare instead.

    Returns:
        Rows of the view ``comparisons``, those that differ most first.

    Raises:
        ConfigError: there is no lake, or a recipe is not in it.
        StorageError: the lake cannot be read or written.
    """
    lake, state = read_opinions(lake_url)
    if recipes is None:
        wanted = pairs_to_compare(lake, state, stages, None)
    else:
        stage, pair = _two_of_a_stage(state, recipes)
        wanted = pairs_to_compare(lake, state, [stage], pair)
    known = compared_keys(lake)
    _write(lake, _compared(lake, state, [key for key in wanted if key not in known]))
    return _rows(lake_url, {key[:4] for key in wanted})


def _two_of_a_stage(state: LakeState, said: tuple[str, str]) -> tuple[Stage, tuple[str, str]]:
    (stage, one), (other_stage, other) = (find_recipe(state, each) for each in said)
    if one == other or stage != other_stage:
        raise ConfigError(f"recipes {', '.join(said)}", "are not two of one stage", SEE_LIST)
    return stage, (one, other)


def _compared(lake: Lake, state: LakeState, keys: Sequence[ComparedKey]) -> Iterator[tuple[ComparedKey, Comparison]]:
    """Yield comparisons, those together whose facts were committed together: each file is read once, or a few times."""

    def home(key: ComparedKey) -> tuple[str, ...]:
        return key.one_commit, key.other_commit, key.one_recipe, key.other_recipe

    for (*_, one_recipe, other_recipe), group in groupby(sorted(keys, key=home), key=home):
        some = list(group)
        stage = some[0].stage
        compare = _compare_words if stage == "transcribe" else _compare_turns
        one, other = (
            split_by_recording(lake.facts(_TABLE[stage], state, [(key.recording_id, stage, recipe) for key in some]))
            for recipe in (one_recipe, other_recipe)
        )
        for key in some:
            yield key, compare(one.get(key.recording_id), other.get(key.recording_id))


def _compare_words(one: pa.Table | None, other: pa.Table | None) -> Comparison:
    return compare_words(_timed_words(one), _timed_words(other))


def _timed_words(table: pa.Table | None) -> TimedWords:
    if table is None:
        return TimedWords(start_ms=(), end_ms=(), text=())
    by_time = table.sort_by([(name, "ascending") for name in ("start_ms", "end_ms", "channel", "chunk_index")])
    return TimedWords(**by_time.select(["start_ms", "end_ms", "text"]).to_pydict())


def _compare_turns(one: pa.Table | None, other: pa.Table | None) -> Comparison:
    return compare_turns(_labelled_turns(one), _labelled_turns(other))


def _labelled_turns(table: pa.Table | None) -> list[LabelledTurn]:
    if table is None:
        return []
    full = table.filter(pc.invert(table["is_exclusive"])).select(list(LabelledTurn._fields))
    return [LabelledTurn(**row) for row in full.to_pylist()]


def _write(lake: Lake, compared: Iterator[tuple[ComparedKey, Comparison]]) -> None:
    comparisons: list[Row] = []
    disagreements: list[Row] = []
    for key, found in compared:
        counts = {"n_compared": found.n_compared, "n_differing": found.n_differing}
        comparisons.append(key._asdict() | counts)
        disagreements += [key._asdict() | asdict(one) for one in found.disagreements]
        if len(comparisons) + len(disagreements) > _BATCH_ROWS:
            write_compared(lake, comparisons, disagreements)
            comparisons, disagreements = [], []
    if comparisons:
        write_compared(lake, comparisons, disagreements)


def _rows(lake_url: str, wanted: Collection[tuple[str, str, str, str]]) -> list[Row]:
    with open_catalog(lake_url) as catalog, asking(lake_url):
        found = catalog.execute(
            "FROM comparisons ORDER BY stage, rate DESC NULLS LAST, source, one_recipe, other_recipe"
        )
        rows: list[Row] = found.to_arrow_table().to_pylist()
    names = ComparedKey._fields[:4]
    return [row for row in rows if tuple(row[name] for name in names) in wanted]


def totals(rows: Sequence[Row]) -> list[Row]:
    """Return the sums of comparisons by pair of recipes."""
    sums: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        pair = (row["stage"], row["one_recipe"], row["other_recipe"])
        names = dict(zip(("stage", "one_recipe", "other_recipe"), pair, strict=True))
        total = sums.setdefault(pair, names | {"recordings": 0, "n_compared": 0, "n_differing": 0})
        total["recordings"] += 1
        for name in ("n_compared", "n_differing"):
            total[name] += row[name]
    return [
        total | {"rate": total["n_differing"] / total["n_compared"] if total["n_compared"] else None}
        for total in sums.values()
    ]
