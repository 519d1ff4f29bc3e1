"""How long it takes to find that nothing is to do in an archive of 10,000 recordings.

    python -m benchmarks.rerun [--recordings N] [--folder FOLDER] [--repeats N] [--json FILE]

Makes so many recordings of a quarter of a second, each with bytes of its own, and a lake of them with the fake engines;
with ``--folder`` both are kept and found again. Then runs the main job again and again and measures

- *in process*: plan, look, record the run, beside a bare walk over the archive that asks for each size and time;
- *command*: ``voxlake run ARCHIVE LAKE --local`` as a person starts it, beside ``voxlake --version``.

Every repetition checks that there was no shard, no engine and no reduce: nothing that Prefect would make a task of.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import wave
from pathlib import Path

import numpy as np

from benchmarks.output import RATIO_COLUMNS, add_json_option, add_repeats_option, ratio_row, report
from benchmarks.runs import make_spec, timed, timed_command, voxlake
from flows.local import run_local

_RATE_HZ = 16_000
_LENGTH = _RATE_HZ // 4
_PER_FOLDER = 500


def main(argv: list[str] | None = None) -> None:
    """Prepare the lake, run again, print."""
    options = parse_arguments(argv)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        archive, lake = folder / f"archive-{options.recordings}", folder / f"lake-{options.recordings}"
        write_archive(archive, options.recordings)
        run_local(make_spec(archive, lake, "fake"))
        rows = [in_process(archive, lake, options.repeats), as_command(archive, lake, options.repeats)]
    report(f"re-run over {options.recordings} finished recordings", rows, RATIO_COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("rerun", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recordings", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where to keep archive and lake")
    add_repeats_option(parser, 7)
    add_json_option(parser)
    return parser.parse_args(argv)


def write_archive(archive: Path, n_recordings: int) -> None:
    """Write the recordings that are not there: one tone each, with noise of its own."""
    time_s = np.arange(_LENGTH) / _RATE_HZ
    for index in range(n_recordings):
        path = archive / f"{index // _PER_FOLDER:03d}" / f"{index:06d}.wav"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        tone = 0.3 * np.sin(2 * np.pi * 100 * (4 + index % 30) * time_s)
        tone += 1e-3 * np.random.default_rng(index).standard_normal(_LENGTH)
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, _RATE_HZ, 0, "NONE", ""))
            file.writeframes((tone * 32_767).astype("<i2").tobytes())


def in_process(archive: Path, lake: Path, repeats: int) -> dict[str, object]:
    """Measure the job's own part of a second run beside a walk over the archive."""

    def run_again() -> None:
        summary = run_local(make_spec(archive, lake, "fake"))
        if not summary.is_current or summary.n_shards or summary.link or summary.publish:
            raise SystemExit("there was something to do")

    run_again()
    pairs = [(timed(run_again).wall_s, timed(lambda: walk(archive)).wall_s) for _ in range(repeats)]
    runs, walks = zip(*pairs, strict=True)
    return ratio_row("in process / bare walk", runs, walks, "≤ 1 s")


def as_command(archive: Path, lake: Path, repeats: int) -> dict[str, object]:
    """Measure the whole command beside one that does nothing."""
    again = voxlake("run", archive, lake, "--profile", "fake", "--local", "--json")
    pairs = [(timed_command(again).wall_s, timed_command(voxlake("--version")).wall_s) for _ in range(repeats)]
    runs, nothings = zip(*pairs, strict=True)
    return ratio_row("command / voxlake --version", runs, nothings, "")


def walk(folder: Path) -> int:
    """Return the bytes below a folder, asking each file once: the least that looking for changes takes."""
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            total += walk(Path(entry.path)) if entry.is_dir() else entry.stat().st_size
    return total


if __name__ == "__main__":
    main()
