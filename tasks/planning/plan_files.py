"""A run's plan in the lake: written once, read by every worker, each only its own shard.

plans/<run>.json        what is short, written last
planned/<run>.jsonl     a line for each shard, and one for all that was listed
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from storage.addresses import public_url
from storage.errors import ConfigError, StorageError
from storage.lake import Lake
from storage.recipe_cards import write_cards
from tasks.planning.listing_problems import ListingProblem, commit_problems
from tasks.planning.plan import ListedSource, PlannedRecording, RunPlan, Shard
from tasks.planning.plan_lines import Line, packed, read_line, read_lines, unpacked, write_lines
from tasks.planning.recipes import RecipeBook
from tasks.planning.spec import RunSpec, from_plain, to_plain

_HEAD = ("spec", "problems", "n_ignored", "basis", "is_current")
"""What a plan has besides the lists that are as long as the archive."""


def write_plan(plan: RunPlan) -> None:
    """Write the plan where the run's workers find it, what its recipes stand for, and what was met while listing.

    Raises:
        ConfigError: the lake's storage replaces what it was asked to leave alone, so no race would be decided.
        StorageError: the lake cannot be written.
    """
    lake, run_id = Lake(plan.spec.lake), plan.spec.run_id
    listed = packed((source.obj, source.hints) for source in plan.listed)
    bounds = write_lines(lake.store, _lines_key(run_id), [*map(_shard_line, plan.shards), listed])
    head = {name: getattr(plan, name) for name in _HEAD} | {"lines": bounds}
    lake.store.put_json(_plan_key(run_id), to_plain(head))
    lake.store.check_conditions(_plan_key(run_id))
    recipes = RecipeBook(plan.spec)
    for source in plan.listed:
        recipes.of(source.hints)
    write_cards(lake, recipes.cards())
    if plan.problems and not plan.is_current:
        commit_problems(lake, plan.spec, plan.problems)


def read_plan(lake: str, run_id: str) -> RunPlan:
    """Return a run's plan.

    Raises:
        StorageError: it is not in the lake, or the lake cannot be read.
    """
    head = _head(lake, run_id)
    if "lines" not in head:
        return _plan_of_0_4(head)
    *shards, listed = read_lines(Lake(lake).store, _lines_key(run_id))
    return _plan(head, shards, listed)


def read_listing(lake: str, run_id: str) -> RunPlan:
    """Return a run's plan without its shards, which nobody needs who comes after them; raises as ``read_plan``."""
    head = _head(lake, run_id)
    if "lines" not in head:
        return replace(_plan_of_0_4(head), shards=())
    bounds = head["lines"]
    return _plan(head, (), read_line(Lake(lake).store, _lines_key(run_id), bounds, len(bounds) - 2))


def _plan(head: Line, shards: Iterable[Line], listed: Line) -> RunPlan:
    return RunPlan(
        spec=from_plain(RunSpec, head["spec"]),
        shards=tuple(map(_shard, shards)),
        listed=tuple(ListedSource(obj=obj, hints=hints) for obj, hints in unpacked(listed)),
        problems=from_plain(tuple[ListingProblem, ...], head["problems"]),
        n_ignored=head["n_ignored"],
        basis=head["basis"],
        is_current=head["is_current"],
    )


def _plan_of_0_4(head: Line) -> RunPlan:
    """Return a plan that was written as one object."""
    plan: RunPlan = from_plain(RunPlan, head)
    return plan


def latest_run_id(lake: str) -> str:
    """Return the run whose plan is the latest in the lake.

    Raises:
        ConfigError: no run has planned anything there.
    """
    names = Lake(lake).store.list("plans")
    if not names:
        raise ConfigError(f"lake {public_url(lake)!r}", "holds no plan", "fill it with: voxlake run ARCHIVE LAKE")
    return names[-1].removesuffix(".json")


def latest_plan(lake: str) -> RunPlan:
    """Return the latest plan in the lake; raises as ``latest_run_id``."""
    return read_plan(lake, latest_run_id(lake))


def read_shard(lake: str, run_id: str, shard_index: int) -> tuple[RunSpec, Shard]:
    """Return one shard of a run's plan, and what the run is asked to do; of the others nothing is read.

    Raises: as ``read_plan``.
    """
    head = _head(lake, run_id)
    line = read_line(Lake(lake).store, _lines_key(run_id), head["lines"], shard_index)
    return from_plain(RunSpec, head["spec"]), _shard(line)


def _lines_key(run_id: str) -> str:
    return f"planned/{run_id}.jsonl"


def _shard_line(shard: Shard) -> Line:
    work = [[one.recording_id, one.stages, one.hash_first, one.duration_ms] for one in shard.recordings]
    return packed((one.obj, one.hints) for one in shard.recordings) | {"work": work}


def _shard(line: Line) -> Shard:
    return Shard(
        recordings=tuple(
            PlannedRecording(
                obj=obj,
                hints=hints,
                recording_id=recording_id,
                stages=tuple(stages),
                hash_first=hash_first,
                duration_ms=duration_ms,
            )
            for (obj, hints), (recording_id, stages, hash_first, duration_ms) in zip(
                unpacked(line), line["work"], strict=True
            )
        )
    )


def _head(lake: str, run_id: str) -> dict[str, Any]:
    try:
        head: dict[str, Any] = Lake(lake).store.read_json(_plan_key(run_id))
    except FileNotFoundError as cause:
        problem = f"the plan of run {run_id} is gone"
        raise StorageError(f"lake {public_url(lake)!r}", problem, "see who removes it, then run again") from cause
    return head


def _plan_key(run_id: str) -> str:
    return f"plans/{run_id}.json"
