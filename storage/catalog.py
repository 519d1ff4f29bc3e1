"""The catalog: DuckDB views over one publication of a lake.

Views name the exact files of the publication, so a connection shows one consistent state for as long as it lives;
open a new one to see what was published since, and before the grace time of maintenance is over, which deletes files
that no recent publication names. DuckDB reads through fsspec, so a lake on S3 needs no extension.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from storage.addresses import public_url
from storage.catalog_sources import create_source, create_sources, create_table, file_rows
from storage.comparisons import COMPARED, compared_files
from storage.decisions import DecisionLog, read_log
from storage.errors import ConfigError, StorageError
from storage.lake import Lake
from storage.lake_records import Publication
from storage.packs import Pack, read_packs
from storage.parquet_sql import connect, quoted
from storage.runs import RunRecord, run_status
from storage.search import create_search

_RUNS = pa.schema(
    [
        ("run_id", pa.string()),
        ("started_at", pa.timestamp("ms", tz="UTC")),
        ("ended_at", pa.timestamp("ms", tz="UTC")),
        ("profile", pa.string()),
        ("settings", pa.string()),
        ("versions", pa.map_(pa.string(), pa.string())),
        ("counts", pa.map_(pa.string(), pa.int64())),
        ("audio_ms", pa.int64()),
        ("wall_ms", pa.int64()),
        ("status", pa.string()),
        ("renewed_at", pa.timestamp("ms", tz="UTC")),
        ("error", pa.string()),
        ("runner", pa.string()),
        ("n_shards", pa.int64()),
        ("n_shards_done", pa.int64()),
        ("audio_left_ms", pa.int64()),
        ("stage_ms", pa.map_(pa.string(), pa.int64())),
        ("n_failures", pa.int64()),
        ("publication", pa.int32()),
        ("changes", pa.map_(pa.string(), pa.int64())),
    ]
)
_DECISIONS = pa.schema(
    [
        ("decision_id", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("kind", pa.string()),
        ("speaker_id", pa.string()),
        ("other_id", pa.string()),
        ("name", pa.string()),
        ("n_ours", pa.int32()),
        ("n_theirs", pa.int32()),
        ("is_undone", pa.bool_()),
    ]
)
_NAMES = pa.schema([("speaker_id", pa.string()), ("name", pa.string())])

VIEWS = (
    "recordings",
    "sources",
    "transcripts",
    "words",
    "turns",
    "fingerprints",
    "speakers",
    "speaker_neighbours",
    "speaker_lineage",
    "decisions",
    "coverage",
    "failures",
    "runs",
)
"""What the catalog promises, in the order people meet them."""

_VIEW_SQL = {
    "recordings": """
        SELECT recording_id, source, collection, duration_ms, sample_rate_hz, n_channels, codec, language, recorded_at,
               title, status, archive, container, channel_mode, recipe, run_id
        FROM published.recordings""",
    "sources": """
        SELECT source, size_bytes, mark, recording_id, first_seen, last_seen, archive, run_id
        FROM published.sources""",
    "transcripts": """
        SELECT {transcript} FROM published.transcripts t {join}""",
    "words": """
        SELECT recording_id, source, word_index, utterance_index, start_ms, end_ms, text, confidence, speaker_id,
               local_speaker, speaker_margin, speaker_reason, is_overlapped, other_speaker, channel, recipe, run_id
        FROM published.words""",
    "turns": """
        SELECT recording_id, source, start_ms, end_ms, local_speaker, speaker_id, confidence, is_exclusive, flags,
               channel, recipe, run_id
        FROM published.turns""",
    "fingerprints": """
        SELECT recording_id, chunk_index, local_speaker, model, vector, speech_ms, speaker_id, channel, label,
               start_ms, turn_ms, activity, recipe, run_id
        FROM published.fingerprints""",
    "speakers": """
        SELECT s.speaker_id, n.name, s.n_recordings, s.speech_ms, s.first_seen, s.last_seen, s.merged_into, s.status,
               s.since
        FROM published.speakers s LEFT JOIN published.shown_names n USING (speaker_id)""",
    "speaker_neighbours": """
        SELECT speaker_id, other_id, score, confidence
        FROM published.neighbours""",
    "speaker_lineage": """
        SELECT publication, speaker_id, change, other_id
        FROM published.lineage""",
    "speaker_scores": """
        SELECT model, kind, low_nats, n_voices
        FROM published.scores""",
    "decisions": """
        SELECT decision_id, e."at", e.kind, e.speaker_id, e.other_id, e.name, e.n_ours, e.n_theirs, e.is_undone,
               d.n_lost, d.set_aside
        FROM published.decision_events e LEFT JOIN published.decided d USING (decision_id)""",
    "links": """
        SELECT recording_id, local_speaker, speaker_id, confidence, margin, basis, reason, speech_ms
        FROM published.links""",
    "recipes": """
        SELECT d.recipe, d.stage, c.engine, c.version, c.weights, c.options, c.given, c.after,
               count(*) AS n_recordings, count(s.recording_id) AS n_published,
               min(d.done_at) AS first_done, max(d.done_at) AS last_done, any_value(k.chosen_at) AS chosen_at
        FROM (SELECT *, strptime(left(commit_id, 21), '%Y%m%dT%H%M%S%f') AT TIME ZONE 'UTC' AS done_at
              FROM published.done WHERE stage <> 'rejected') d
        LEFT JOIN published.selected s USING (recording_id, stage, recipe)
        LEFT JOIN published.cards c ON c.recipe = d.recipe
        LEFT JOIN published.standing_choices k ON k.recipe = d.recipe
        GROUP BY ALL""",
    "comparisons": """
        SELECT c.recording_id, r.source, c.stage, c.one_recipe, c.other_recipe, c.n_compared, c.n_differing,
               c.n_differing / nullif(c.n_compared, 0) AS rate
        FROM published.counting_comparisons c LEFT JOIN published.recordings r USING (recording_id)""",
    "disagreements": """
        SELECT d.recording_id, r.source, d.stage, d.start_ms, d.end_ms, d.one_recipe, d.other_recipe, d.one_text,
               d.other_text
        FROM published.disagreements d
        SEMI JOIN published.counting_comparisons USING (recording_id, stage, one_recipe, other_recipe, batch)
        LEFT JOIN published.recordings r USING (recording_id)""",
    "coverage": """
        SELECT recording_id, start_ms, end_ms, status, stage, recipe, run_id
        FROM published.coverage""",
    "failures": """
        SELECT recording_id, source, stage, error, message, is_transient, run_id, "at", start_ms, end_ms, archive,
               recipe, since
        FROM published.failures""",
    "runs": """
        SELECT run_id, started_at, ended_at, profile, settings, versions, counts, audio_ms, wall_ms, status,
               renewed_at, error, runner, n_shards, n_shards_done, audio_left_ms, stage_ms, n_failures, publication,
               changes
        FROM published.run_records""",
}


_TRANSCRIPT = """
    t.recording_id, t.source, t.utterance_index, t.start_ms, t.end_ms, t.speaker_id, {name} AS speaker_name,
    t.local_speaker, t.speaker_confidence, t.speaker_uncertain, t.is_overlapped, t.text, t.language, t.confidence,
    t.no_speech_confidence, t.flags, t.channel, t.n_words, t.recipe, t.run_id"""
_MOST_INLINE_NAMES = 200
_MOST_SOUGHT = 1_000
"""Rows up to which a join tells the files which rows it wants, so that the others are not read."""

_SHOWN_NAMES = """
    CREATE TABLE published.shown_names AS
    SELECT coalesce(s.merged_into, n.speaker_id) AS speaker_id,
           first(n.name ORDER BY s.merged_into IS NOT NULL, n.speaker_id) AS name
    FROM published.names n LEFT JOIN published.speakers s USING (speaker_id) GROUP BY ALL"""
"""Names of who was merged into somebody go with them, unless these have one of their own."""


_STANDING_CHOICES = """
    CREATE VIEW published.standing_choices AS
    SELECT k.recipe, max(k."at") AS chosen_at FROM published.choices k
    WHERE k."at" > coalesce((SELECT max(b."at") FROM published.choices b WHERE b.stage = k.stage AND b.recipe IS NULL),
                            '-infinity')
    GROUP BY k.recipe HAVING k.recipe IS NOT NULL"""
_COUNTING_COMPARISONS = """
    CREATE VIEW published.counting_comparisons AS FROM published.comparisons
    QUALIFY row_number() OVER (PARTITION BY recording_id, stage, one_recipe, other_recipe
                               ORDER BY one_commit DESC, other_commit DESC, batch) = 1"""


def open_catalog(lake_url: str, publication: Publication | None = None) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection with the lake's views in its main schema.

    Args:
        lake_url: The lake.
        publication: What to show, for who reads its files as well; the latest by default.

    Raises:
        ConfigError: there is no lake at the URL.
        StoreUnreachable: the storage did not answer.
        StorageError: a file of the publication cannot be read.
    """
    lake = Lake(lake_url)
    publication = publication or lake.latest_publication()
    runs = lake.runs()
    if publication is None and not runs:
        problem = "nothing has been published there"
        raise ConfigError(f"lake {public_url(lake_url)!r}", problem, "fill it with: voxlake run ARCHIVE LAKE")
    try:
        return _catalog(lake, publication, runs, read_packs(lake))
    except duckdb.Error:  # somebody deletes packs, which storage says in its own words; parts hold the same rows
        pass
    try:
        return _catalog(lake, publication, runs, ())
    except duckdb.Error as cause:  # it reads footers, and passes on what the storage's library raises
        problem = f"a published file cannot be read ({str(cause).splitlines()[0]})"
        remedy = "check the storage, then try again"
        raise StorageError(f"lake {public_url(lake_url)!r}", problem, remedy) from cause


def _catalog(
    lake: Lake, publication: Publication | None, runs: Sequence[RunRecord], packs: Sequence[Pack]
) -> duckdb.DuckDBPyConnection:
    connection = connect(lake)
    connection.execute("SET GLOBAL parquet_metadata_cache = true")
    connection.execute(f"SET GLOBAL dynamic_or_filter_threshold = {_MOST_SOUGHT}")
    connection.execute("CREATE SCHEMA published")
    create_sources(connection, lake, publication, packs)
    names = lake.names()
    create_table(connection, "names", _names_table(names))
    connection.execute(_SHOWN_NAMES)
    for table, files in compared_files(lake).items():
        create_source(connection, table, COMPARED[table], file_rows(lake, files))
    for helper in (_STANDING_CHOICES, _COUNTING_COMPARISONS):
        connection.execute(helper)
    create_table(connection, "decision_events", _decisions_table(read_log(lake)))
    create_table(connection, "run_records", _runs_table(runs))
    name, join = _shown_name(connection)
    transcript = _TRANSCRIPT.format(name=name)
    for view, sql in _VIEW_SQL.items():
        connection.execute(f"CREATE VIEW main.{view} AS {sql.format(transcript=transcript, join=join)}")
    create_search(connection, transcript, join)
    return connection


def _shown_name(connection: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """Return SQL of a transcript's speaker's name, and the join that it wants.

    A join is made also where nobody asks for the name, so a few names stand in the query itself.
    """
    rows = connection.execute("SELECT speaker_id, name FROM published.shown_names ORDER BY ALL").fetchall()
    if not rows:
        return "NULL::VARCHAR", ""
    if len(rows) > _MOST_INLINE_NAMES:
        return "n.name", "LEFT JOIN published.shown_names n USING (speaker_id)"
    entries = ", ".join(f"{quoted(speaker_id)}: {quoted(name)}" for speaker_id, name in rows)
    return f"MAP {{{entries}}}[t.speaker_id]", ""


def _names_table(names: Mapping[str, str]) -> pa.Table:
    columns = [sorted(names), [names[speaker_id] for speaker_id in sorted(names)]]
    return pa.Table.from_arrays([pa.array(column, pa.string()) for column in columns], schema=_NAMES)


def _decisions_table(log: DecisionLog) -> pa.Table:
    rows = [
        {
            "decision_id": one.decision_id,
            "at": one.at,
            "kind": one.kind,
            "speaker_id": one.speaker_id,
            "other_id": one.other_id,
            "name": one.name,
            "n_ours": len(one.ours),
            "n_theirs": len(one.theirs),
            "is_undone": one.decision_id in log.undone,
        }
        for one in log.decisions
    ]
    return pa.Table.from_pylist(rows, schema=_DECISIONS)


def _runs_table(runs: Sequence[RunRecord]) -> pa.Table:
    now = datetime.now(UTC)
    rows = [
        {
            **{name: getattr(run, name) for name in _RUNS.names if name != "status"},
            "status": run_status(run, now),
            "settings": json.dumps(run.settings, sort_keys=True),
            **{name: sorted(getattr(run, name).items()) for name in ("versions", "counts", "stage_ms", "changes")},
        }
        for run in runs
    ]
    return pa.Table.from_pylist(rows, schema=_RUNS)
