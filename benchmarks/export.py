"""Time and peak memory of exporting a large lake against a small one.

    python -m benchmarks.export [--recordings 2000 8000] [--words 150] [--format stm] [--json FILE]

Makes up lakes of so many recordings, each with so many words of two people, published in parts as a run does, and
exports each in a process of its own. Time is that of each recording, the start of the process left out; memory is the
kernel's peak of the whole process.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.output import Row, add_json_option, report
from benchmarks.runs import ONE_THREAD, peak_mib, timed
from storage.lake import Lake
from storage.lake_records import Part, Publication
from storage.publishing import part_key, write_whole
from storage.schemas import PARTS, table_of
from tasks.reading.export import export_lake

_PER_PART = 200
_WORDS_PER_UTTERANCE = 12
_WORD_MS, _PAUSE_MS = 300, 100
_SPEAKERS = ("spk_0000000001", "spk_0000000002")
_COMMANDS = "from benchmarks.export import measure; measure(*{})"
_COLUMNS = ("recordings", "words", "wall s", "ms each", "cpu ms each", "peak MiB", "time ratio", "memory ratio", "goal")


def main(argv: list[str] | None = None) -> None:
    """Make the lakes, export each, print."""
    options = parse_arguments(argv)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for count in options.recordings:
            lake = Path(scratch) / f"lake-{count}"
            write_lake(lake, count, options.words)
            rows.append(measured(lake, Path(scratch) / f"out-{count}", options.format, count) | {"goal": "≤ 1.1"})
    for row in rows:
        row["words"] = row["recordings"] * options.words
        row["time ratio"] = row["cpu ms each"] / rows[0]["cpu ms each"]
        row["memory ratio"] = row["peak MiB"] / rows[0]["peak MiB"]
    report(f"export as {options.format}", rows, _COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("export", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recordings", type=int, nargs="+", default=[2000, 8000], help="the first to compare with")
    parser.add_argument("--words", type=int, default=150, help="of each recording, 150 by default")
    parser.add_argument("--format", default="stm", help="the cheapest by default, so that reading shows")
    add_json_option(parser)
    return parser.parse_args(argv)


def write_lake(folder: Path, n_recordings: int, n_words: int) -> None:
    """Publish made-up recordings of as many words each."""
    lake = Lake(str(folder))
    ids = sorted(hashlib.sha256(str(index).encode()).hexdigest()[:32] for index in range(n_recordings))
    groups = [ids[first : first + _PER_PART] for first in range(0, n_recordings, _PER_PART)]
    parts = tuple(_write_part(lake, f"{index:012d}", group, n_words) for index, group in enumerate(groups))
    part_of = {one: part.part_id for part, group in zip(parts, groups, strict=True) for one in group}
    origin = {"recipe": "made-up", "run_id": "made-up"}
    recordings = [
        {
            "recording_id": one,
            "source": _source(one),
            "archive": "made-up",
            "status": "done",
            "duration_ms": n_words * 400,
        }
        | origin
        for one in ids
    ]
    selected = [
        {"recording_id": one, "stage": stage, "recipe": "made-up", "part_id": part_of[one]}
        for one in ids
        for stage in ("probe", "transcribe", "diarize", "fingerprint")
    ]
    wholes = {"recordings": recordings, "selected": selected}
    lake.publish(
        Publication(
            number=1,
            run_id="made-up",
            at=datetime.now(UTC),
            parts=parts,
            wholes={table: write_whole(lake, table, rows) for table, rows in wholes.items()},
            bases={},
        )
    )


def measured(lake: Path, out: Path, format_name: str, n_recordings: int) -> Row:
    """Export a lake in a process of its own and return its figures."""
    command = [sys.executable, "-c", _COMMANDS.format((str(lake), str(out), format_name))]
    answer = subprocess.run(command, env=ONE_THREAD, stdout=subprocess.PIPE, check=True)
    figures: Row = json.loads(answer.stdout)
    each = {
        name: 1000 * figures[f"{kind} s"] / n_recordings for name, kind in (("ms each", "wall"), ("cpu ms each", "cpu"))
    }
    return {"recordings": n_recordings, **figures, **each}


def measure(lake: str, out: str, format_name: str) -> None:
    """Export, and print what it took."""
    spent = timed(lambda: export_lake(lake, out, format_name))
    print(json.dumps({"wall s": spent.wall_s, "cpu s": spent.cpu_s, "peak MiB": peak_mib()}))


def _source(recording_id: str) -> str:
    return f"{recording_id[:2]}/{recording_id[2:12]}.flac"


def _write_part(lake: Lake, part_id: str, ids: list[str], n_words: int) -> Part:
    tables = {table: schema.empty_table() for table, schema in PARTS.items()}
    tables |= {
        table: pa.concat_tables(_of_recordings(table, ids, n_words)) for table in ("transcripts", "words", "turns")
    }
    files = {table: part_key(table, part_id, "made-up") for table in PARTS}
    for table, key in files.items():
        lake.store.write_table(key, tables[table])
    return Part(part_id=part_id, digest="made-up", files=files)


def _of_recordings(table: str, ids: list[str], n_words: int) -> list[pa.Table]:
    """Return one recording's rows under every recording's name."""
    rows = {"transcripts": _utterances, "words": _words, "turns": _turns}[table](n_words)
    origin = {"recording_id": "", "source": "", "recipe": "made-up", "run_id": "made-up"}
    pattern = table_of([origin | row for row in rows], PARTS[table])
    named = []
    for one in ids:
        piece = pattern
        for column, value in (("recording_id", one), ("source", _source(one))):
            index = piece.schema.get_field_index(column)
            piece = piece.set_column(index, piece.schema.field(index), pa.repeat(value, len(piece)))
        named.append(piece)
    return named


def _words(n_words: int) -> list[Row]:
    rng = np.random.default_rng(0)
    return [
        {
            "word_index": index,
            "utterance_index": index // _WORDS_PER_UTTERANCE,
            "start_ms": index * (_WORD_MS + _PAUSE_MS),
            "end_ms": index * (_WORD_MS + _PAUSE_MS) + _WORD_MS,
            "channel": 0,
            "text": "".join(rng.choice(list("abcdefghij"), rng.integers(2, 9))),
            "is_overlapped": False,
            "confidence": 0.9,
            "speaker_id": _SPEAKERS[index // _WORDS_PER_UTTERANCE % 2],
            "local_speaker": f"S{index // _WORDS_PER_UTTERANCE % 2}",
        }
        for index in range(n_words)
    ]


def _utterances(n_words: int) -> list[Row]:
    words = _words(n_words)
    groups = [words[first : first + _WORDS_PER_UTTERANCE] for first in range(0, n_words, _WORDS_PER_UTTERANCE)]
    same = ("utterance_index", "channel", "speaker_id", "local_speaker", "confidence", "is_overlapped")
    return [
        {
            **{name: group[0][name] for name in same},
            "start_ms": group[0]["start_ms"],
            "end_ms": group[-1]["end_ms"],
            "text": " ".join(word["text"] for word in group),
            "n_words": len(group),
            "speaker_uncertain": index % 10 == 0,
            "flags": [],
        }
        for index, group in enumerate(groups)
    ]


def _turns(n_words: int) -> list[Row]:
    same = ("start_ms", "end_ms", "channel", "speaker_id", "local_speaker")
    return [
        {**{name: row[name] for name in same}, "is_exclusive": is_exclusive, "flags": []}
        for row in _utterances(n_words)
        for is_exclusive in (False, True)
    ]


if __name__ == "__main__":
    main()
