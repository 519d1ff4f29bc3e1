"""A whole run against the slowest of its stages: how well reading, decoding and the engines overlap.

    python -m benchmarks.stages [--profile whisper] [--minutes 60] [--recordings 6] [--set KEY=VALUE …] [--json FILE]

Writes recordings of the speech of ``samples/``, takes them through the main job without Prefect and with one worker,
and reports each stage's speed (seconds of audio per second in it), the speed of the whole, from the first byte to the
published lake without loading the engines, and its ratio to the slowest stage. Reading is *probe*; it overlaps with the
engines, so the whole can be as fast as they are. On a machine with an NVIDIA GPU the share of time that the GPU was
busy is reported too, as ``nvidia-smi`` sees it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.output import Row, add_json_option, report
from benchmarks.runs import timed
from benchmarks.sounds import ENCODINGS, repeated, sample_speech, write_recording
from flows.local import run_planned
from tasks.engines.registry import KINDS
from tasks.planning.plan import plan_run
from tasks.reading.summary import RunSummary
from tasks.stages.engine_set import load_engines
from tasks.workers import open_workers

_COLUMNS = ("what", "seconds", "speed", "GPU busy %", "slowest stage / whole", "goal")
_QUERY = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")
_EVERY_S = 0.5


def main(argv: list[str] | None = None) -> None:
    """Write the recordings, run, print."""
    options = parse_arguments(argv)
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "archive"
        speech, opus = sample_speech(), next(one for one in ENCODINGS if one.codec == "libopus")
        each_s = options.minutes * 60 / options.recordings
        for number in range(options.recordings):
            write_recording(archive / f"{number}.opus", repeated(speech[number * 1600 :], each_s), opus)
        rows = measured(options, archive, Path(scratch) / "lake")
    report(f"stages, profile {options.profile}, {options.minutes:g} min", rows, _COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("stages", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--minutes", type=float, default=60.0, help="audio in all")
    parser.add_argument("--recordings", type=int, default=6)
    parser.add_argument(
        "--set", dest="assigned", action="append", default=[], help="any setting, as `voxlake run` has it"
    )
    add_json_option(parser)
    return parser.parse_args(argv)


def measured(options: argparse.Namespace, archive: Path, lake: Path) -> list[Row]:
    """Run the job on one worker that has its engines loaded, and return a row for each stage and for the whole."""
    from flows.settings import build_spec, load_settings

    settings = load_settings(None, assigned=options.assigned, profile=options.profile, workers=1)
    spec = build_spec(settings, str(archive), str(lake))
    found: list[RunSummary] = []
    with open_workers(1, spec.threads) as pool:
        pool.call(load_engines, spec, KINDS)
        with gpu_busy() as busy:
            whole_s = timed(lambda: found.append(run_planned(plan_run(spec)))).wall_s
    audio_s = options.minutes * 60
    stages = {stage: ms / 1000 for stage, ms in found[0].work.stage_ms.items()}
    rows: list[Row] = [{"what": stage, "seconds": s, "speed": audio_s / s} for stage, s in stages.items()]
    ratio = max(stages.values()) / whole_s
    share = statistics.mean(busy) if busy else None
    whole = {"what": "whole", "seconds": whole_s, "speed": audio_s / whole_s, "GPU busy %": share}
    return [*rows, {**whole, "slowest stage / whole": ratio, "goal": "≥ 0.9 on a GPU"}]


@contextmanager
def gpu_busy() -> Iterator[list[float]]:
    """Collect how busy the first GPU is, in per cent, until the block ends; nothing where there is none."""
    shares: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while shutil.which(_QUERY[0]) and not done.wait(_EVERY_S):
            answer = subprocess.run(_QUERY, capture_output=True, text=True, check=False).stdout.split()
            shares.extend(map(float, answer[:1]))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield shares
    finally:
        done.set()
        watcher.join()


if __name__ == "__main__":
    main()
