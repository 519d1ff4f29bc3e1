"""Arrow schemas of the lake, written by hand; ``docs/tables.md`` explains each column.

Facts are what stages found; they never change. Published tables are derived from facts by link, attribute and
publish. A required column is one that Parquet refuses to write without a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 2
"""Goes into every recipe: a change here makes every fact to be found anew. A further column that may be null needs
none: older files are read as if it were null."""

_INSTANT = pa.timestamp("us", tz="UTC")
_FLAGS = pa.list_(pa.string())


def _schema(*required: tuple[str, pa.DataType], optional: Sequence[tuple[str, pa.DataType]] = ()) -> pa.Schema:
    fields = [pa.field(name, kind, nullable=False) for name, kind in required]
    return pa.schema(fields + [pa.field(name, kind) for name, kind in optional])


_SPAN = (("start_ms", pa.int64()), ("end_ms", pa.int64()))
_CHUNK = (("recording_id", pa.string()), ("channel", pa.int16()), ("chunk_index", pa.int32()))
_ORIGIN = (("recipe", pa.string()), ("run_id", pa.string()))

FACTS: Mapping[str, pa.Schema] = {
    "recordings": _schema(
        ("recording_id", pa.string()),
        ("status", pa.string()),
        *_ORIGIN,
        optional=[
            ("duration_ms", pa.int64()),
            ("sample_rate_hz", pa.int32()),
            ("n_channels", pa.int16()),
            ("codec", pa.string()),
            ("container", pa.string()),
            ("channel_mode", pa.string()),
            ("title", pa.string()),
            ("recorded_at", pa.string()),
        ],
    ),
    "chunks": _schema(*_CHUNK, *_SPAN, *_ORIGIN),
    "speech": _schema(*_CHUNK, *_SPAN, *_ORIGIN),
    "segments": _schema(
        *_CHUNK,
        ("segment_index", pa.int32()),
        *_SPAN,
        ("flags", _FLAGS),
        *_ORIGIN,
        optional=[("language", pa.string()), ("confidence", pa.float32()), ("no_speech_confidence", pa.float32())],
    ),
    "words": _schema(
        *_CHUNK,
        ("segment_index", pa.int32()),
        *_SPAN,
        ("text", pa.string()),
        *_ORIGIN,
        optional=[("confidence", pa.float32())],
    ),
    "turns": _schema(
        *_CHUNK,
        *_SPAN,
        ("label", pa.string()),
        ("is_exclusive", pa.bool_()),
        ("flags", _FLAGS),
        *_ORIGIN,
        optional=[("confidence", pa.float32())],
    ),
    "fingerprints": _schema(
        *_CHUNK,
        ("label", pa.string()),
        ("model", pa.string()),
        ("start_ms", pa.int64()),
        ("turn_ms", pa.int64()),
        ("speech_ms", pa.int64()),
        *_ORIGIN,
        optional=[("activity", pa.float32()), ("vector", pa.list_(pa.float32()))],
    ),
    "failures": _schema(
        ("archive", pa.string()),
        ("source", pa.string()),
        ("stage", pa.string()),
        ("error", pa.string()),
        ("message", pa.string()),
        ("is_transient", pa.bool_()),
        ("at", _INSTANT),
        *_ORIGIN,
        optional=[("recording_id", pa.string()), ("start_ms", pa.int64()), ("end_ms", pa.int64())],
    ),
}
"""What stages write, one Parquet file per table and commit."""

STAGE_TABLES: Mapping[str, tuple[str, ...]] = {
    "probe": ("recordings", "chunks", "speech"),
    "transcribe": ("segments", "words"),
    "diarize": ("turns",),
    "fingerprint": ("fingerprints",),
}

PARTS: Mapping[str, pa.Schema] = {
    "transcripts": _schema(
        ("recording_id", pa.string()),
        ("source", pa.string()),
        ("utterance_index", pa.int32()),
        *_SPAN,
        ("channel", pa.int16()),
        ("speaker_uncertain", pa.bool_()),
        ("is_overlapped", pa.bool_()),
        ("text", pa.string()),
        ("n_words", pa.int32()),
        ("flags", _FLAGS),
        *_ORIGIN,
        optional=[
            ("speaker_id", pa.string()),
            ("local_speaker", pa.string()),
            ("speaker_confidence", pa.float32()),
            ("language", pa.string()),
            ("confidence", pa.float32()),
            ("no_speech_confidence", pa.float32()),
        ],
    ),
    "words": _schema(
        ("recording_id", pa.string()),
        ("source", pa.string()),
        ("word_index", pa.int32()),
        ("utterance_index", pa.int32()),
        *_SPAN,
        ("channel", pa.int16()),
        ("text", pa.string()),
        ("is_overlapped", pa.bool_()),
        *_ORIGIN,
        optional=[
            ("confidence", pa.float32()),
            ("speaker_id", pa.string()),
            ("local_speaker", pa.string()),
            ("other_speaker", pa.string()),
            ("speaker_margin", pa.float32()),
            ("speaker_reason", pa.string()),
        ],
    ),
    "turns": _schema(
        ("recording_id", pa.string()),
        ("source", pa.string()),
        *_SPAN,
        ("channel", pa.int16()),
        ("local_speaker", pa.string()),
        ("is_exclusive", pa.bool_()),
        ("flags", _FLAGS),
        *_ORIGIN,
        optional=[("speaker_id", pa.string()), ("confidence", pa.float32())],
    ),
    "fingerprints": _schema(
        *_CHUNK,
        ("label", pa.string()),
        ("local_speaker", pa.string()),
        ("model", pa.string()),
        ("start_ms", pa.int64()),
        ("turn_ms", pa.int64()),
        ("speech_ms", pa.int64()),
        *_ORIGIN,
        optional=[("speaker_id", pa.string()), ("activity", pa.float32()), ("vector", pa.list_(pa.float32()))],
    ),
    "coverage": _schema(
        ("recording_id", pa.string()),
        *_SPAN,
        ("status", pa.string()),
        ("stage", pa.string()),
        *_ORIGIN,
    ),
    "terms": _schema(  # row: place of the utterance in the part's file of transcripts
        ("term", pa.string()), ("row", pa.int32()), ("n", pa.int32()), ("n_words", pa.int32())
    ),
}
"""Published tables that grow with the audio: one file per part, a part being a stable group of recordings.

A part that an older version published may lack some of them.
"""

WHOLES: Mapping[str, pa.Schema] = {
    "recordings": _schema(
        ("recording_id", pa.string()),
        ("source", pa.string()),
        ("archive", pa.string()),
        ("status", pa.string()),
        *_ORIGIN,
        optional=[
            ("collection", pa.string()),
            ("duration_ms", pa.int64()),
            ("sample_rate_hz", pa.int32()),
            ("n_channels", pa.int16()),
            ("codec", pa.string()),
            ("container", pa.string()),
            ("channel_mode", pa.string()),
            ("language", pa.string()),
            ("recorded_at", pa.string()),
            ("title", pa.string()),
        ],
    ),
    "hints": _schema(
        ("recording_id", pa.string()),
        ("archive", pa.string()),
        ("source", pa.string()),
        optional=[
            ("language", pa.string()),
            ("min_speakers", pa.int32()),
            ("max_speakers", pa.int32()),
            ("channel_mode", pa.string()),
            ("collection", pa.string()),
            ("title", pa.string()),
            ("recorded_at", pa.string()),
        ],
    ),
    "selected": _schema(
        ("recording_id", pa.string()), ("stage", pa.string()), ("recipe", pa.string()), ("part_id", pa.string())
    ),
    "local_speakers": _schema(*_CHUNK, ("label", pa.string()), ("local_speaker", pa.string())),
    "links": _schema(
        ("recording_id", pa.string()),
        ("local_speaker", pa.string()),
        ("speech_ms", pa.int64()),
        optional=[
            ("speaker_id", pa.string()),
            ("confidence", pa.float32()),
            ("margin", pa.float32()),
            ("basis", pa.string()),
            ("reason", pa.string()),
        ],
    ),
    "speakers": _schema(
        ("speaker_id", pa.string()),
        ("status", pa.string()),
        ("n_recordings", pa.int32()),
        ("speech_ms", pa.int64()),
        ("since", pa.int32()),
        optional=[("first_seen", pa.string()), ("last_seen", pa.string()), ("merged_into", pa.string())],
    ),
    "neighbours": _schema(
        ("speaker_id", pa.string()),
        ("other_id", pa.string()),
        ("score", pa.float32()),
        optional=[("confidence", pa.float32())],
    ),
    "lineage": _schema(
        ("publication", pa.int32()),
        ("speaker_id", pa.string()),
        ("change", pa.string()),
        optional=[("other_id", pa.string())],
    ),
    "scores": _schema(
        ("model", pa.string()), ("kind", pa.string()), ("low_nats", pa.int32()), ("n_voices", pa.int64())
    ),
    "decided": _schema(  # one row per event under decisions/, also those that only take another back
        ("decision_id", pa.string()), ("n_lost", pa.int32()), optional=[("set_aside", pa.string())]
    ),
    "cards": _schema(
        *((name, pa.string()) for name in ("recipe", "stage", "engine", "version", "weights", "options", "given")),
        optional=[("after", pa.string())],
    ),
    "choices": _schema(  # one row per event under choices/
        ("choice_id", pa.string()),
        ("at", _INSTANT),
        ("stage", pa.string()),
        optional=[("recipe", pa.string()), ("after", pa.string())],
    ),
    "failures": FACTS["failures"].append(pa.field("since", _INSTANT)),
    "sources": _schema(
        ("archive", pa.string()),
        ("source", pa.string()),
        ("size_bytes", pa.int64()),
        ("mark", pa.string()),
        ("first_seen", _INSTANT),
        ("last_seen", _INSTANT),
        ("run_id", pa.string()),
        optional=[("recording_id", pa.string())],
    ),
    "done": _schema(
        ("recording_id", pa.string()), ("stage", pa.string()), ("recipe", pa.string()), ("commit_id", pa.string())
    ),
    # A commit without files still has one row, with an empty table and key; one that was compacted has one with an
    # empty table and the key of its compaction.
    "commits": _schema(("commit_id", pa.string()), ("table", pa.string()), ("key", pa.string())),
}
"""Published tables that are small; each is one file, rewritten when it changes."""

SIGHTINGS = _schema(
    ("archive", pa.string()),
    ("source", pa.string()),
    ("size_bytes", pa.int64()),
    ("mark", pa.string()),
    ("at", _INSTANT),
    ("commit_id", pa.string()),
    optional=[("recording_id", pa.string())],
)
"""What commits saw of archives, where many commits are kept in one file."""

MEMORY: Mapping[str, pa.Schema] = {
    "spaces": _schema(
        ("model", pa.string()),
        ("basis", pa.string()),
        ("n_voices", pa.int64()),
        ("mean", pa.list_(pa.float32())),
        ("room", pa.float64()),
        ("cohort", pa.list_(pa.float32())),
        ("offset", pa.float64()),
        ("dimensions", pa.float64()),
        ("noise", pa.float64()),
        ("returning", pa.float64()),
    ),
    "voices": _schema(
        ("model", pa.string()),
        ("speaker_id", pa.string()),
        ("sum", pa.list_(pa.float32())),
        ("weight", pa.float64()),
        ("precision", pa.float64()),
        ("square", pa.float64()),
        ("is_single", pa.bool_()),
    ),
}
"""What linking remembers, so that a new recording costs little; without it, everything is linked anew."""

ENROLLED = _schema(
    ("clip", pa.string()), ("model", pa.string()), ("speech_ms", pa.int64()), ("vector", pa.list_(pa.float32()))
)
"""Clips of known persons, one file per decision to enroll."""

EVALUATION = _schema(
    ("scope", pa.string()),
    ("figure", pa.string()),
    ("unit", pa.string()),
    ("n_recordings", pa.int32()),
    optional=[
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("wrong", pa.float64()),
        ("total", pa.float64()),
        ("collection", pa.string()),
        ("recording_id", pa.string()),
        ("source", pa.string()),
    ],
)
"""Figures of an evaluation, one row each; it lies where it was asked for, not in the lake."""


def table_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table; a row without one of the optional columns has a null there."""
    columns = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)
