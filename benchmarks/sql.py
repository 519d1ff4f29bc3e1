"""Counting, one speaker's rows and text search over a large lake, packed against not packed.

    python -m benchmarks.sql [--utterances 1200000] [--parts 500] [--repeats 9] [--json FILE]

Makes up a lake: utterances of twelve words, words as frequent as in a language (Zipf), 60 utterances to a recording,
one voice with a hundredth of all, the others with some hundreds each, a hundred of them named. Tables of words, turns
and coverage stay empty.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.output import Row, add_json_option, add_repeats_option, markdown_table, report
from benchmarks.runs import Spent, timed, timed_command, voxlake
from storage.catalog import open_catalog
from storage.lake import Lake
from storage.lake_records import Part, Publication
from storage.publishing import part_key
from storage.schemas import PARTS
from storage.terms import index_terms
from tasks.publishing.pack import pack_lake

_WORDS_EACH, _PER_RECORDING = 12, 60
_VOCABULARY, _N_SPEAKERS = 50_000, 4_000
_HOST, _TYPICAL = "spk_0000000000", "spk_0000000777"
_N_NAMED = 100
_COLUMNS = ("what", "parts ms", "packed ms", "ratio", "parts cpu ms", "packed cpu ms", "rows", "goal ms")
_OF_BUILDING = ("what", "wall s", "cpu s", "MB")


def main(argv: list[str] | None = None) -> None:
    """Make the lake, ask it, pack it, ask again, print."""
    options = parse_arguments(argv)
    with tempfile.TemporaryDirectory() as scratch:
        lake = Path(scratch) / "lake"
        built = [
            {
                "what": "index of the words",
                **indexing(lake, options.utterances, options.parts),
                "MB": size(lake, "terms"),
            }
        ]
        built[0]["what"] += f", {size(lake, 'transcripts'):.3g} MB of transcripts"
        before = measured(lake, options.repeats)
        spent = timed(lambda: pack_lake(str(lake)))
        built.append({"what": "packing", "wall s": spent.wall_s, "cpu s": spent.cpu_s, "MB": size(lake, "packs")})
        after = measured(lake, options.repeats)
    rows = [_beside(one, other) for one, other in zip(before, after, strict=True)]
    report(f"SQL over {options.utterances:,} utterances in {options.parts} parts", rows, _COLUMNS, options.json)
    print()
    print(markdown_table(built, _OF_BUILDING))


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("sql", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--utterances", type=int, default=1_200_000)
    parser.add_argument("--parts", type=int, default=500)
    add_repeats_option(parser, 9)
    add_json_option(parser)
    return parser.parse_args(argv)


def indexing(folder: Path, n_utterances: int, n_parts: int) -> Row:
    """Publish made-up utterances in parts; return what their index took."""
    lake, rng = Lake(str(folder)), np.random.default_rng(0)
    vocabulary, frequency = _vocabulary()
    ids = sorted(
        hashlib.sha256(str(index).encode()).hexdigest()[:32] for index in range(n_utterances // _PER_RECORDING)
    )
    parts, wall_s, cpu_s = [], 0.0, 0.0
    for index in range(n_parts):
        mine = ids[index::n_parts]
        tables = {table: schema.empty_table() for table, schema in PARTS.items()}
        tables["transcripts"] = _transcripts(mine, vocabulary, frequency, rng)
        spent = timed(lambda tables=tables: tables.update(terms=index_terms(tables["transcripts"])))
        wall_s, cpu_s = wall_s + spent.wall_s, cpu_s + spent.cpu_s
        part_id = f"{index:012x}"
        files = {table: part_key(table, part_id, "made-up") for table in PARTS}
        for table, key in files.items():
            lake.store.write_table(key, tables[table])
        parts.append(Part(part_id=part_id, digest="made-up", files=files))
    at = datetime.now(UTC)
    lake.publish(Publication(number=1, run_id="made-up", at=at, parts=tuple(parts), wholes={}, bases={}))
    for index in range(_N_NAMED):
        lake.name_speaker(f"spk_{index:010d}", f"Person {index}")
    return {"wall s": wall_s, "cpu s": cpu_s}


def size(folder: Path, table: str) -> float:
    """Return the megabytes of a published table."""
    return sum(path.stat().st_size for path in (folder / "published" / table).rglob("*.parquet")) / 1e6


def measured(lake: Path, repeats: int) -> list[Row]:
    """Return the time of each question, the median of some, over a connection that has answered it before."""
    with open_catalog(str(lake)) as catalog:
        vocabulary, _ = _vocabulary()
        word = [vocabulary[rank].as_py() for rank in (3, 30, 300, 3_000)]
        by_speaker = "SELECT * FROM transcripts WHERE speaker_id = ?"
        best = "SELECT source, start_ms, speaker_name, text, score FROM search(?, at_most := 20)"
        questions = [
            ("count", "SELECT count(*) FROM transcripts", [], 4),
            ("one speaker", by_speaker, [_TYPICAL], 20),
            ("a voice heard in 1 %", by_speaker, [_HOST], None),
            ("search: frequent word", best, [word[1]], 50),
            ("search: rare word", best, [word[3]], 50),
            ("search: two words", best, [f"{word[1]} {word[2]}"], 50),
            ("search: three words, one very frequent", best, [f"{word[0]} {word[1]} {word[2]}"], 50),
            ("search: beginning", best, [f"{word[2]}*"], 50),
            ("search: phrase", best, [f'"{word[1]} {word[2]}"'], 50),
            ("search: how many", "SELECT count(*) FROM search(?)", [word[2]], None),
            ("scan: text ILIKE", "SELECT * FROM transcripts WHERE text ILIKE ?", [f"%{word[3]}%"], None),
        ]
        rows = [
            {
                "what": what,
                "goal ms": goal,
                **_asked(repeats, lambda sql=sql, values=values: _rows(catalog, sql, values)),
            }
            for what, sql, values, goal in questions
        ]
    rows.append({"what": "opening the catalog", "goal ms": None, **_asked(repeats, lambda: _open_and_close(lake))})
    for what, sql in {
        "cold: open, count": "SELECT count(*) FROM transcripts",
        "cold: open, one speaker": f"SELECT * FROM transcripts WHERE speaker_id = '{_TYPICAL}'",
    }.items():
        rows.append({"what": what, "goal ms": None, **_asked(3, lambda sql=sql: _cold(lake, sql))})
    command = voxlake("sql", lake, "SELECT count(*) FROM transcripts")
    spent = [timed_command(command) for _ in range(3)]
    rows.append({"what": "voxlake sql, in all", "goal ms": None, "rows": 1, **_medians(spent)})
    command = voxlake("search", lake, word[3], "--json")
    spent = [timed_command(command) for _ in range(3)]
    rows.append({"what": "voxlake search, in all", "goal ms": None, "rows": 1, **_medians(spent)})
    return rows


def _asked(repeats: int, ask: Callable[[], int]) -> Row:
    n_rows = ask()
    return {"rows": n_rows, **_medians([timed(ask) for _ in range(repeats)])}


def _medians(spent: Sequence[Spent]) -> Row:
    return {
        "ms": 1000 * statistics.median(one.wall_s for one in spent),
        "cpu ms": 1000 * statistics.median(one.cpu_s for one in spent),
    }


def _rows(catalog: duckdb.DuckDBPyConnection, sql: str, values: list[str]) -> int:
    return catalog.execute(sql, values).to_arrow_table().num_rows


def _open_and_close(lake: Path) -> int:
    open_catalog(str(lake)).close()
    return 0


def _cold(lake: Path, sql: str) -> int:
    with open_catalog(str(lake)) as catalog:
        return _rows(catalog, sql, [])


def _beside(parts: Row, packed: Row) -> Row:
    if parts["rows"] != packed["rows"]:
        raise SystemExit(f"{parts['what']}: {parts['rows']} rows from parts, {packed['rows']} packed")
    return {
        "what": parts["what"],
        "rows": parts["rows"],
        "goal ms": parts["goal ms"],
        "parts ms": parts["ms"],
        "packed ms": packed["ms"],
        "parts cpu ms": parts["cpu ms"],
        "packed cpu ms": packed["cpu ms"],
        "ratio": parts["ms"] / packed["ms"],
    }


@cache
def _vocabulary() -> tuple[pa.Array, np.ndarray]:
    """Return words, the most frequent first, and how frequent they are."""
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = {"".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(_VOCABULARY)}
    frequency = 1 / np.arange(1, len(words) + 1)
    return pa.array(rng.permutation(sorted(words))), frequency / frequency.sum()


def _transcripts(ids: list[str], vocabulary: pa.Array, frequency: np.ndarray, rng: np.random.Generator) -> pa.Table:
    """Return utterances of these recordings, three voices each, a hundredth of all one's."""
    n = len(ids) * _PER_RECORDING
    words = vocabulary.take(pa.array(rng.choice(len(vocabulary), n * _WORDS_EACH, p=frequency)))
    offsets = pa.array(np.arange(0, n * _WORDS_EACH + 1, _WORDS_EACH, dtype=np.int32))
    recording, place = np.divmod(np.arange(n), _PER_RECORDING)
    voices = rng.integers(1, _N_SPEAKERS, (len(ids), 3))[recording, rng.integers(0, 3, n)]
    voices = np.where(rng.random(n) < 0.01, 0, voices)
    recording_id = pa.array(ids).take(pa.array(recording))
    columns = {
        "recording_id": recording_id,
        "source": pc.binary_join_element_wise("radio/", recording_id, ".flac", ""),
        "utterance_index": pa.array(place.astype(np.int32)),
        "start_ms": pa.array(place * 5_000),
        "end_ms": pa.array(place * 5_000 + 4_500),
        "channel": pa.array(np.zeros(n, np.int16)),
        "speaker_uncertain": pa.array(rng.random(n) < 0.1),
        "is_overlapped": pa.array(rng.random(n) < 0.1),
        "text": pc.binary_join(pa.ListArray.from_arrays(offsets, words), " "),
        "n_words": pa.array(np.full(n, _WORDS_EACH, np.int32)),
        "flags": pa.array([[]] * n, pa.list_(pa.string())),
        "recipe": pa.repeat("made-up", n),
        "run_id": pa.repeat("made-up", n),
        "speaker_id": pa.array([f"spk_{index:010d}" for index in range(_N_SPEAKERS)]).take(pa.array(voices)),
        "local_speaker": pa.array(["S0", "S1", "S2"]).take(pa.array(voices % 3)),
        "confidence": pa.array(rng.random(n, np.float32)),
    }
    schema = PARTS["transcripts"]
    return pa.Table.from_arrays([columns.get(field.name, pa.nulls(n, field.type)) for field in schema], schema=schema)


if __name__ == "__main__":
    main()
