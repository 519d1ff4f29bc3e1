"""Read broken media, as many files as you like, and count what came of them.

    python -m benchmarks.media_faults [--files 500] [--seed 1] [--more FOLDER] [--keep FOLDER] [--json FILE]

Real files of twenty containers and their codecs are written, and more taken from a folder; then bits are flipped,
blocks swapped, sizes made extreme, files cut off and spliced. Each goes through probe, decoding, hashing and cutting
into chunks, in a process that may take 1.5 GiB of address space beyond what it begins with, 1 GiB of it resident, 20 s
of processor time and 60 s in all. Good ends are ``whole`` (nothing was lost that a header states), ``partial`` (what
could be decoded is kept, and it says so) and ``refused`` (with the reason). Every other one is a defect: the exit
status is 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.broken_media import broken_files, whole_files
from benchmarks.caged import BAD, OUTCOMES, Caged, read_caged
from benchmarks.output import Row, add_json_option, report

_MORE = Path(__file__).parents[1] / "shared" / "speech" / "containers"
_COLUMNS = ("change", *OUTCOMES, "longest s", "most MiB", "longest audio s")


def main(argv: list[str] | None = None) -> None:
    """Break files, read them, print the counts; exit 1 if one of them broke something."""
    options = parse_arguments(argv)
    found: list[tuple[str, str, Caged]] = []
    with tempfile.TemporaryDirectory() as scratch:
        files = whole_files(Path(scratch), options.more)
        for broken in broken_files(files, options.files, options.seed):
            path = Path(scratch) / broken.name
            path.write_bytes(broken.content)
            caged = read_caged(path)
            found.append((broken.name, broken.change, caged))
            if caged.outcome in BAD and options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / broken.name).write_bytes(broken.content)
            path.unlink()
    report(f"{len(found)} broken media files, seed {options.seed}", _rows(found), _COLUMNS, options.json)
    bad = [one for one in found if one[2].outcome in BAD]
    for name, change, caged in bad:
        print(f"{name} ({change}): {caged.outcome}, {caged.reason}")
    sys.exit(1 if bad else 0)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("media_faults", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--more", type=Path, default=_MORE, metavar="FOLDER", help="take the files in it too")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files that broke something")
    add_json_option(parser)
    return parser.parse_args(argv)


def _rows(found: list[tuple[str, str, Caged]]) -> list[Row]:
    changes = sorted({change for _, change, _ in found})
    return [_row(change, [one for _, kind, one in found if kind == change]) for change in changes] + [
        _row("all", [one for _, _, one in found])
    ]


def _row(change: str, caged: list[Caged]) -> Row:
    counts = Counter(one.outcome for one in caged)
    return {
        "change": change,
        **{outcome: counts[outcome] for outcome in OUTCOMES},
        "longest s": max((one.wall_s for one in caged), default=0.0),
        "most MiB": max((one.resident_mib for one in caged), default=0.0),
        "longest audio s": max((one.audio_ms for one in caged), default=0) / 1000,
    }


if __name__ == "__main__":
    main()
