"""Peak memory of a long recording against a short one.

    python -m benchmarks.memory [--hours 1 5] [--transcriber fake] [--profile embedded] [--json FILE]

Writes the speech of ``samples/`` over and over as one FLAC of each length, and takes each through the main job
without Prefect and with one worker, in a process of its own. Peaks of resident memory are the kernel's: the worker
decodes and runs the engines, the main process links and publishes. The transcriber is the fake one unless another is
named, because an hour of recognition takes longer than all the rest.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.output import Row, add_json_option, report
from benchmarks.runs import ONE_THREAD, make_spec, timed
from benchmarks.sounds import ENCODINGS, repeated, sample_speech, write_recording

_MEASURE = "from benchmarks.memory import measure; measure(*{})"
_KIB = 1024
_COLUMNS = ("hours", "wall s", "worker MiB", "main MiB", "worker ratio", "main ratio", "goal")


def main(argv: list[str] | None = None) -> None:
    """Write the recordings, run each, print."""
    options = parse_arguments(argv)
    flac = next(encoding for encoding in ENCODINGS if encoding.codec == "flac")._replace(rate_hz=16_000)
    speech = sample_speech()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for hours in options.hours:
            folder = Path(scratch) / f"{hours:g} h"
            write_recording(folder / "archive" / "long.flac", repeated(speech, hours * 3600), flac)
            rows.append({"hours": hours, **measured(folder, options.profile, options.transcriber), "goal": "≤ 1.1"})
    for row in rows:
        row["worker ratio"] = row["worker MiB"] / rows[0]["worker MiB"]
        row["main ratio"] = row["main MiB"] / rows[0]["main MiB"]
    report(f"peak memory, profile {options.profile}", rows, _COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("memory", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hours", type=float, nargs="+", default=[1.0, 5.0], help="lengths, the first to compare with")
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--transcriber", default="fake", help="instead of the profile's")
    add_json_option(parser)
    return parser.parse_args(argv)


def measured(folder: Path, profile: str, transcriber: str) -> Row:
    """Run the job over an archive in a process of its own and return its figures."""
    arguments = (str(folder / "archive"), str(folder / "lake"), profile, transcriber)
    command = [sys.executable, "-c", _MEASURE.format(arguments)]
    answer = subprocess.run(command, env=ONE_THREAD, stdout=subprocess.PIPE, check=True)
    figures: Row = json.loads(answer.stdout)
    return figures


def measure(archive: str, lake: str, profile: str, transcriber: str) -> None:
    """Run the job and print the peaks of this process and of its only child, the worker."""
    from flows.local import run_local
    from flows.settings import EngineSettings

    spec = make_spec(Path(archive), Path(lake), profile, workers=1, transcriber=EngineSettings(name=transcriber))
    spent = timed(lambda: run_local(spec))
    peaks = {
        name: resource.getrusage(who).ru_maxrss / _KIB
        for name, who in (("worker MiB", resource.RUSAGE_CHILDREN), ("main MiB", resource.RUSAGE_SELF))
    }
    print(json.dumps({"wall s": spent.wall_s, **peaks}))


if __name__ == "__main__":
    main()
