"""Which of all failures ever met still hold. Pure, but for reading them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from storage.lake import Lake
from storage.lake_records import LakeState
from tasks.planning.plan import RunPlan
from tasks.planning.spec import archive_key
from tasks.publishing.select import SelectedRecording

Row = dict[str, Any]


def standing_failures(
    lake: Lake, state: LakeState, plan: RunPlan, selected: Mapping[str, SelectedRecording]
) -> list[Row]:
    """Return the failures that still hold, under the name by which the recording is shown.

    What keeps a file from being read at all is said of every name under which its bytes are found.
    """
    standing: dict[tuple[Any, ...], Row] = {}
    present = present_sources(plan)
    before = lake.whole(state.publication, "failures").to_pylist()
    published = {(row["recording_id"], row["stage"], row["recipe"]) for row in before}
    since = {_identity(row): row["since"] or row["at"] for row in before}
    for commit_id, row in lake.all_failures(state):
        one = selected.get(row["recording_id"])
        if row["recording_id"] is None:
            holds, shown = _nothing_is_known(row, state, plan, present), row
        elif one is None:
            continue
        else:
            holds = _is_of_what_is_shown(row, commit_id, one, state, published)
            shown = row | {"archive": one.archive, "source": one.source}
        if holds:
            identity = _identity(row)
            if identity not in standing or standing[identity]["at"] <= row["at"]:
                standing[identity] = shown | {"since": since.get(identity, row["at"])}
    names = _present_names(state, plan, present)
    return [named for key in sorted(standing, key=repr) for named in _under_each_name(standing[key], names)]


def _identity(row: Row) -> tuple[Any, ...]:
    """Return what two failures share of which the later says the same again."""
    return row["recording_id"] or (row["archive"], row["source"]), row["stage"], row["start_ms"]


def _present_names(
    state: LakeState, plan: RunPlan, present: frozenset[tuple[str, str]]
) -> Mapping[str, list[tuple[str, str]]]:
    """Return archive and source of each recording's names, without those that the run found gone."""
    names: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for seen in sorted(state.sightings, key=attrgetter("key")):
        if seen.recording_id and (seen.key in present or seen.archive != archive_key(plan.spec)):
            names[seen.recording_id].append(seen.key)
    return names


def _under_each_name(row: Row, names: Mapping[str, list[tuple[str, str]]]) -> list[Row]:
    if row["stage"] != "probe" or row["recording_id"] is None:
        return [row]
    shown = (row["archive"], row["source"])
    return [row | {"archive": archive, "source": source} for archive, source in names.get(row["recording_id"], [shown])]


def present_sources(plan: RunPlan) -> frozenset[tuple[str, str]]:
    """Return archive and source of all that the run met."""
    archive = archive_key(plan.spec)
    listed = {(archive, source.obj.source) for source in plan.listed}
    return frozenset(listed | {(archive, problem.source) for problem in plan.problems})


def _nothing_is_known(row: Row, state: LakeState, plan: RunPlan, present: frozenset[tuple[str, str]]) -> bool:
    """Return whether a failure of bytes that nobody could read holds: they are there, and still nobody could."""
    key = (row["archive"], row["source"])
    sighting = state.sightings.get(key)
    is_gone = row["archive"] == archive_key(plan.spec) and key not in present
    return sighting is not None and sighting.recording_id is None and not is_gone


def _is_of_what_is_shown(
    row: Row, commit_id: str, one: SelectedRecording, state: LakeState, published: set[tuple[Any, ...]]
) -> bool:
    """Return whether a recording's failure holds: met by the facts that are shown, or by what is still wanted."""
    key = (row["recording_id"], row["stage"], row["recipe"])
    if key in state.done:
        return one.recipes.get(row["stage"]) == row["recipe"] and state.done[key] == commit_id
    return key in published if one.wanted is None else one.wanted.get(row["stage"]) == row["recipe"]
