"""What maintenance saves: a lake of many small commits beside the same lake compacted.

    python -m benchmarks.maintain [--commits N] [--words N] [--repeats N] [--json FILE]

Makes a lake in which each commit has the facts of one recording, a hundred commits to a run, publishes it, and
maintains a copy. Then, in turn on both:

- *what is done*: reading what the lake knows;
- *all fingerprints*: what linking the whole lake reads;
- *one part*: all facts of the recordings of one part;
- *link and publish*: the reduce after one recording was committed again, so that one part is written anew.

On a disk most of the time goes into opening files; on storage far away each file is a request besides.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import RATIO_COLUMNS, add_json_option, add_repeats_option, ratio_row, report
from benchmarks.runs import make_spec, peak_mib, timed
from storage.lake import Lake
from storage.records import SourceHints, SourceObject
from storage.schemas import STAGE_TABLES
from storage.sightings import Sighting
from tasks.linking.lake import link_lake
from tasks.maintenance.maintain import maintain_lake
from tasks.planning.plan import ListedSource, RunPlan
from tasks.planning.plan_files import write_plan
from tasks.planning.recipes import RecipeBook
from tasks.planning.spec import RunSpec, archive_key
from tasks.publishing.publish import publish_lake

_PER_RUN = 100
_PER_PART = 200
_DIMENSIONS = 192
_PEOPLE = 50
_CLOCKS = {"wall": "wall_s", "processor": "cpu_s"}

Row = dict[str, Any]


def main(argv: list[str] | None = None) -> None:
    """Make the lakes, measure, print."""
    options = parse_arguments(argv)
    with tempfile.TemporaryDirectory() as scratch:
        small, large = Path(scratch) / "small", Path(scratch) / "large"
        made = MadeUp(Path(scratch) / "archive", small, options.commits, options.words)
        made.fill()
        made.publish(small)
        shutil.copytree(small, large)
        before_mib = peak_mib()
        spent = timed(lambda: maintain_lake(str(large)))
        print(f"maintained in {spent.wall_s:.1f} s, peak memory {before_mib:.0f} → {peak_mib():.0f} MiB")
        maintain_lake(str(large), grace_days=0.0)
        rows = [*sizes(small, large), *compared(made, small, large, options.repeats)]
    report(f"{options.commits} commits, compacted", rows, ("compacted", "alone", *RATIO_COLUMNS), options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("maintain", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--commits", type=int, default=400)
    parser.add_argument("--words", type=int, default=100, help="words of a recording")
    add_repeats_option(parser, 3)
    add_json_option(parser)
    return parser.parse_args(argv)


class MadeUp:
    """Recordings that nobody ever heard, and their facts."""

    def __init__(self, archive: Path, lake: Path, n_recordings: int, n_words: int) -> None:
        """Decide what there is to be."""
        self.spec: RunSpec = make_spec(archive, lake, "fake")
        self.recipes = RecipeBook(self.spec).of(SourceHints())
        self._n_words = n_words
        self._people = np.random.default_rng(0).standard_normal((_PEOPLE, _DIMENSIONS))
        # A run's recordings are published together, as they are night after night: their names sort by run.
        self.ids = [
            f"{at // _PER_RUN:08x}{hashlib.sha256(str(at).encode()).hexdigest()[:56]}" for at in range(n_recordings)
        ]

    def fill(self) -> None:
        """Write all commits and the plan of the last run."""
        lake = Lake(self.spec.lake)
        for at, recording_id in enumerate(self.ids):
            self.commit(lake, at, recording_id)
        listed = tuple(
            ListedSource(obj=SourceObject(source=f"{at}.wav", size_bytes=1, mark="m"), hints=SourceHints())
            for at in range(len(self.ids))
        )
        plan = RunPlan(
            spec=self.spec, shards=(), listed=listed, problems=(), n_ignored=0, basis="made-up", is_current=False
        )
        write_plan(plan)

    def commit(self, lake: Lake, at: int, recording_id: str) -> None:
        """Commit one recording."""
        run_id = f"20260101T000000{at // _PER_RUN:03d}-000000"
        rows = {
            table: [
                row | {"recipe": self.recipes[stage], "run_id": run_id, "recording_id": recording_id} for row in some
            ]
            for stage, tables in STAGE_TABLES.items()
            for table, some in self._rows(at).items()
            if table in tables
        }
        seen = Sighting(
            archive=archive_key(self.spec),
            source=f"{at}.wav",
            size_bytes=1,
            mark="m",
            recording_id=recording_id,
            at=self.spec.started_at,
        )
        done = [(recording_id, stage, recipe) for stage, recipe in self.recipes.items()]
        lake.write_commit(run_id, rows, done, [seen])

    def _rows(self, at: int) -> dict[str, list[Row]]:
        rng, length_ms = np.random.default_rng(at), 400 * self._n_words
        chunk = {"channel": 0, "chunk_index": 0}
        whole = chunk | {"start_ms": 0, "end_ms": length_ms}
        words = [
            chunk
            | {
                "segment_index": 0,
                "start_ms": 400 * n,
                "end_ms": 400 * n + 300,
                "text": f"w{number}",
                "confidence": 0.9,
            }
            for n, number in enumerate(rng.integers(0, 5000, self._n_words).tolist())
        ]
        half_ms = length_ms // 2
        turns = [
            chunk | {"start_ms": at_ms, "end_ms": at_ms + half_ms, "label": label, "is_exclusive": kind, "flags": []}
            for label, at_ms in (("A", 0), ("B", half_ms))
            for kind in (False, True)
        ]
        return {
            "recordings": [{"status": "done", "duration_ms": length_ms, "channel_mode": "mix"}],
            "chunks": [whole],
            "speech": [whole],
            "segments": [whole | {"segment_index": 0, "flags": [], "language": "en"}],
            "words": words,
            "turns": turns,
            "fingerprints": [
                self._fingerprint(rng, label, at_ms, half_ms) for label, at_ms in (("A", 0), ("B", half_ms))
            ],
        }

    def _fingerprint(self, rng: np.random.Generator, label: str, at_ms: int, length_ms: int) -> Row:
        vector = self._people[rng.integers(_PEOPLE)] + 0.3 * rng.standard_normal(_DIMENSIONS)
        return {
            "channel": 0,
            "chunk_index": 0,
            "label": label,
            "model": "made-up",
            "start_ms": at_ms,
            "turn_ms": length_ms,
            "speech_ms": length_ms,
            "vector": (vector / np.linalg.norm(vector)).astype(np.float32).tolist(),
        }

    def publish(self, lake: Path) -> int:
        """Link and publish a copy of the lake; return how many parts were written."""
        link = link_lake(str(lake), self.spec.run_id)
        return publish_lake(str(lake), self.spec.run_id, link).n_parts_written


def sizes(small: Path, large: Path) -> Iterator[Row]:
    """Yield files and bytes of facts and manifests, on both sides."""
    found = []
    for lake in (large, small):
        files = [path for top in ("facts", "commits", "compactions") for path in (lake / top).rglob("*.*")]
        found.append((len(files), sum(path.stat().st_size for path in files)))
    for what, at in (("files of facts and commits", 0), ("their bytes", 1)):
        compacted, alone = found[0][at], found[1][at]
        yield {"what": what, "compacted": compacted, "alone": alone, "ratio": compacted / alone}


def compared(made: MadeUp, small: Path, large: Path, repeats: int) -> Iterator[Row]:
    """Yield how long things take on the compacted lake beside the other."""
    turn = count()

    def reduce(lake: Path) -> None:
        if made.publish(lake) != 1:
            raise SystemExit("more than one part was written, or none")

    def commit_again(lake: Path) -> None:
        at = next(turn) // 2 * _PER_PART % len(made.ids)
        made.commit(Lake(str(lake)), at, made.ids[at])

    part = made.ids[:_PER_PART]
    calls: dict[str, Callable[[Path], object]] = {
        "what is done": lambda lake: Lake(str(lake)).state(),
        "all fingerprints": lambda lake: read(made, lake, made.ids, ("fingerprints",)),
        "one part": lambda lake: read(made, lake, part, ("words", "segments", "turns", "fingerprints")),
        "link and publish": reduce,
    }
    for what, call in calls.items():
        pairs = []
        for _ in range(repeats):
            if call is reduce:
                commit_again(large), commit_again(small)
            pairs.append([timed(partial(call, lake)) for lake in (large, small)])
        for clock in ("wall", "processor"):
            compacted, alone = zip(*([getattr(one, _CLOCKS[clock]) for one in pair] for pair in pairs), strict=True)
            yield ratio_row(f"{what}, {clock} time", compacted, alone, "")


def read(made: MadeUp, lake: Path, ids: list[str], tables: tuple[str, ...]) -> None:
    """Read the facts of recordings."""
    opened = Lake(str(lake))
    state = opened.state()
    stage_of = {table: stage for stage, tables in STAGE_TABLES.items() for table in tables}
    for table in tables:
        stage = stage_of[table]
        rows = opened.facts(table, state, [(one, stage, made.recipes[stage]) for one in ids])
        if len(rows) < len(ids):
            raise SystemExit(f"{table} are missing")


if __name__ == "__main__":
    main()
