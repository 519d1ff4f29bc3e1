"""The catalog: DuckDB views over one publication of a lake.

Views name the exact files of the publication, so a connection shows one consistent state for as long as it lives;
open a new one to see what was published since. DuckDB reads through fsspec, so a lake on S3 needs no extension.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import duckdb
import pyarrow as pa

from storage.comparisons import COMPARED, compared_files
from storage.decisions import DecisionLog, read_log
from storage.errors import ConfigError, StorageError
from storage.lake import Lake, Publication, RunRecord
from storage.schemas import PARTS, WHOLES
from storage.store import public_url

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
        SELECT t.recording_id, t.source, t.utterance_index, t.start_ms, t.end_ms, t.speaker_id, n.name AS speaker_name,
               t.local_speaker, t.speaker_confidence, t.speaker_uncertain, t.is_overlapped, t.text, t.language,
               t.confidence, t.no_speech_confidence, t.flags, t.channel, t.n_words, t.recipe, t.run_id
        FROM published.transcripts t LEFT JOIN published.shown_names n USING (speaker_id)""",
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
               recipe
        FROM published.failures""",
    "runs": """
        SELECT run_id, started_at, ended_at, profile, settings, versions, counts, audio_ms, wall_ms
        FROM published.run_records""",
}


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
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # in a notebook it would stand among the output
    if not lake.store.is_local:
        lake.store.learn_names("published")  # DuckDB asks a dozen times what each file is, at every query
        connection.register_filesystem(lake.store.fs)
    connection.execute("CREATE SCHEMA published")
    for table, schema in {**PARTS, **WHOLES}.items():
        _create_source(connection, lake, table, schema, _files(publication, table))
    _create_table(connection, "names", _names_table(lake))
    connection.execute(_SHOWN_NAMES)
    for table, files in compared_files(lake).items():
        _create_source(connection, lake, table, COMPARED[table], files)
    for helper in (_STANDING_CHOICES, _COUNTING_COMPARISONS):
        connection.execute(helper)
    _create_table(connection, "decision_events", _decisions_table(read_log(lake)))
    _create_table(connection, "run_records", _runs_table(runs))
    for view, sql in _VIEW_SQL.items():
        connection.execute(f"CREATE VIEW main.{view} AS {sql}")
    return connection


def _files(publication: Publication | None, table: str) -> list[str]:
    if publication is None:
        return []
    if table in PARTS:
        return [part.files[table] for part in publication.parts]
    return [publication.wholes[table]] if table in publication.wholes else []


def _create_source(
    connection: duckdb.DuckDBPyConnection, lake: Lake, table: str, schema: pa.Schema, keys: Sequence[str]
) -> None:
    """Create a view over a table's files; over nothing, an empty table of the same columns.

    Columns that came after the files were written are null.
    """
    if not keys:
        _create_table(connection, table, schema.empty_table())
        return
    paths = [lake.store.path(key) for key in keys]
    if not lake.store.is_local:
        paths = [lake.store.fs.unstrip_protocol(path) for path in paths]
    listed = ", ".join("'" + _literal(path).replace("'", "''") + "'" for path in paths)
    rows = f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false)"
    try:
        connection.execute(f"CREATE VIEW published.{table} AS {rows}")
        present = connection.execute(f"DESCRIBE published.{table}").fetchall()
    except duckdb.Error as cause:  # it reads a footer, and passes on what the storage's library raises
        problem = f"cannot be read ({str(cause).splitlines()[0]})"
        raise StorageError(
            f"{public_url(lake.url)}/published/{table}", problem, "check the storage, then try again"
        ) from cause
    if not {column for column, *_ in present}.issuperset(schema.names):
        _create_table(connection, f"all_of_{table}", schema.empty_table())
        rows += f" UNION ALL BY NAME SELECT * FROM published.all_of_{table}"
        connection.execute(f"CREATE OR REPLACE VIEW published.{table} AS {rows}")


def _literal(path: str) -> str:
    """Return a pattern that means this very path, whatever its folders are called."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)


def _create_table(connection: duckdb.DuckDBPyConnection, name: str, data: pa.Table) -> None:
    connection.register("incoming", data)
    connection.execute(f"CREATE TABLE published.{name} AS SELECT * FROM incoming")
    connection.unregister("incoming")


def _names_table(lake: Lake) -> pa.Table:
    names = sorted(lake.names().items())
    columns = [[speaker_id for speaker_id, _ in names], [name for _, name in names]]
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
    rows = [
        {
            "run_id": run.run_id,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "profile": run.profile,
            "settings": json.dumps(run.settings, sort_keys=True),
            "versions": sorted(run.versions.items()),
            "counts": sorted(run.counts.items()),
            "audio_ms": run.audio_ms,
            "wall_ms": run.wall_ms,
        }
        for run in runs
    ]
    return pa.Table.from_pylist(rows, schema=_RUNS)
