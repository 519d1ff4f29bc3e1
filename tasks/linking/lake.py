"""The link stage: fingerprints of the whole lake become local speakers, and these become speakers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.lake import Lake, LakeState
from storage.publishing import index_tables, write_whole
from storage.records import FloatArray, SpeakerBounds
from tasks.linking.ids import SpeakerIds, assign_ids
from tasks.linking.local import LocalSpeakers, name_local_speakers
from tasks.linking.speakers import Links, link_speakers
from tasks.linking.voices import LabelColumns, prior_of
from tasks.plan import RunPlan, read_plan
from tasks.select import SelectedRecording, select_recordings

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReport:
    """What linking made, for the publish stage and for people."""

    base_number: int
    """The publication whose IDs were kept; 0 in a new lake."""
    wholes: Mapping[str, str]
    """Keys of the tables written; among them the commits that were linked, so that no others are published."""
    n_speakers: int
    n_local_speakers: int
    n_unlinked: int
    n_new: int
    n_grown: int
    n_merged: int
    n_split: int


def link_lake(lake_url: str, run_id: str) -> LinkReport:
    """Link all fingerprints that are to be published; publishes nothing itself.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    lake, plan = Lake(lake_url), read_plan(lake_url, run_id)
    state = lake.state()
    selected = select_recordings(lake, state, plan)
    labels = lake.facts("fingerprints", state, [key for one in selected for key in one.keys("fingerprint")])
    previous = _PreviousIds(lake, state)
    linked = [_link_model(plan, selected, rows, previous) for _, rows in _by_model(labels)]
    report = _report(lake, _recorded_at(lake, state, selected), linked, previous)
    commits = write_whole(lake, "commits", index_tables(state)["commits"])
    return replace(report, wholes={**report.wholes, "commits": commits})


class _PreviousIds:
    """The speaker IDs of the publication before this one."""

    def __init__(self, lake: Lake, state: LakeState) -> None:
        self.number = state.publication.number if state.publication else 0
        self.speakers = lake.whole(state.publication, "speakers").to_pylist()
        self.since = {row["speaker_id"]: row["since"] for row in self.speakers}
        self.of_local = {
            (row["recording_id"], row["local_speaker"]): row["speaker_id"]
            for row in lake.whole(state.publication, "links").to_pylist()
            if row["speaker_id"]
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Linked:
    """The result for the fingerprints of one model."""

    labels: pa.Table
    local: LocalSpeakers
    links: Links
    ids: SpeakerIds


def _by_model(labels: pa.Table) -> list[tuple[str, pa.Table]]:
    """Return the labels of each embedding model in canonical order."""
    order = [(name, "ascending") for name in ("model", "recording_id", "channel", "chunk_index", "label")]
    labels = labels.sort_by(order)
    models = labels["model"].to_pylist()
    edges = [0, *(i for i in range(1, len(models)) if models[i] != models[i - 1]), len(models)]
    return [(models[start], labels.slice(start, end - start)) for start, end in pairwise(edges) if end > start]


def _link_model(
    plan: RunPlan, selected: Sequence[SelectedRecording], labels: pa.Table, previous: _PreviousIds
) -> _Linked:
    columns = _label_columns(labels)
    prior = prior_of(labels["model"][0].as_py())
    bounds = {one.recording_id: one.hints.speakers for one in selected if one.hints.speakers != SpeakerBounds()}
    local = name_local_speakers(columns, prior, bounds=bounds, options=plan.spec.local_linking)
    links = link_speakers(local, prior, options=plan.spec.linking)
    ids = assign_ids(local, links.speaker, previous=previous.of_local, since=previous.since)
    return _Linked(labels=labels, local=local, links=links, ids=ids)


def _label_columns(labels: pa.Table) -> LabelColumns:
    return LabelColumns(
        recording_id=labels["recording_id"].to_pylist(),
        channel=labels["channel"].to_numpy().astype(np.int64),
        chunk_index=labels["chunk_index"].to_numpy().astype(np.int64),
        label=labels["label"].to_pylist(),
        start_ms=labels["start_ms"].to_numpy(),
        speech_ms=np.where(
            labels["vector"].is_valid().to_numpy(), labels["speech_ms"].to_numpy(), labels["turn_ms"].to_numpy()
        ),
        vectors=_vectors(labels["vector"]),
    )


def _vectors(column: pa.ChunkedArray) -> FloatArray:
    """Return fingerprints as rows of shape ``(n, dim)``; NaN where there is none."""
    found = column.drop_null()
    dim = len(found[0]) if len(found) else 1
    vectors = np.full((len(column), dim), np.nan, np.float32)
    vectors[column.is_valid().to_numpy()] = np.asarray(pc.list_flatten(found)).reshape(-1, dim)
    return vectors


def _recorded_at(lake: Lake, state: LakeState, selected: Sequence[SelectedRecording]) -> dict[str, str]:
    """Return when recordings were made, as the manifest says, or else their headers."""
    facts = lake.facts("recordings", state, [key for one in selected for key in one.keys("probe")])
    dates = dict(zip(facts["recording_id"].to_pylist(), facts["recorded_at"].to_pylist(), strict=True))
    dates |= {one.recording_id: one.hints.recorded_at for one in selected if one.hints.recorded_at}
    return {recording_id: date for recording_id, date in dates.items() if date}


def _report(
    lake: Lake, recorded_at: Mapping[str, str], linked: Sequence[_Linked], previous: _PreviousIds
) -> LinkReport:
    local_rows = [row for one in linked for row in _local_rows(one)]
    link_rows = [row for one in linked for row in _link_rows(one)]
    speaker_rows = _speaker_rows(recorded_at, link_rows, linked, previous)
    events = Counter(event.change for one in linked for event in one.ids.events)
    return LinkReport(
        base_number=previous.number,
        wholes={
            "local_speakers": write_whole(lake, "local_speakers", local_rows),
            "links": write_whole(lake, "links", link_rows),
            "speakers": write_whole(lake, "speakers", speaker_rows),
        },
        n_speakers=len({row["speaker_id"] for row in link_rows if row["speaker_id"]}),
        n_local_speakers=len(link_rows),
        n_unlinked=sum(row["speaker_id"] is None for row in link_rows),
        n_new=events["new"],
        n_grown=events["grown"],
        n_merged=events["merged_into"],
        n_split=events["split"],
    )


def _local_rows(linked: _Linked) -> list[Row]:
    rows = linked.labels.select(["recording_id", "channel", "chunk_index", "label"]).to_pylist()
    return [
        row | {"local_speaker": linked.local.name[local]}
        for row, local in zip(rows, linked.local.of_label.tolist(), strict=True)
    ]


def _link_rows(linked: _Linked) -> list[Row]:
    local, links = linked.local, linked.links
    turn_ms = np.bincount(local.of_label, linked.labels["turn_ms"].to_numpy(), minlength=len(local)).astype(np.int64)
    return [
        {
            "recording_id": local.recording_id[i],
            "local_speaker": local.name[i],
            "speech_ms": int(turn_ms[i]),
            "speaker_id": linked.ids.of_local[i],
            "confidence": _known(links.confidence[i]),
            "margin": _known(links.margin[i]),
            "reason": links.reason[i],
        }
        for i in range(len(local))
    ]


def _speaker_rows(
    recorded_at: Mapping[str, str],
    link_rows: Sequence[Row],
    linked: Sequence[_Linked],
    previous: _PreviousIds,
) -> list[Row]:
    """Return every ID ever published; one that nobody bears any more says whom it was merged into."""
    of_speaker: dict[str, list[Row]] = defaultdict(list)
    for row in link_rows:
        if row["speaker_id"]:
            of_speaker[row["speaker_id"]].append(row)
    merged = {row["speaker_id"]: row["merged_into"] for row in previous.speakers}
    merged |= {e.speaker_id: e.other_id for one in linked for e in one.ids.events if e.change == "merged_into"}
    rows = []
    for speaker_id in sorted({*of_speaker, *previous.since}):
        heard = of_speaker.get(speaker_id, [])
        dates = sorted(date for row in heard if (date := recorded_at.get(row["recording_id"])))
        rows.append(
            {
                "speaker_id": speaker_id,
                "n_recordings": len({row["recording_id"] for row in heard}),
                "speech_ms": sum(row["speech_ms"] for row in heard),
                "since": previous.since.get(speaker_id, previous.number + 1),
                "first_seen": dates[0] if dates else None,
                "last_seen": dates[-1] if dates else None,
                "merged_into": None if heard else merged.get(speaker_id),
            }
        )
    return rows


def _known(value: np.floating[Any]) -> float | None:
    return None if np.isnan(value) else float(value)
