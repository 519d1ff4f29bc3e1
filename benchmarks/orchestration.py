"""What the main job costs beyond its engines: everything from planning to the published lake, with Prefect and without.

    python -m benchmarks.orchestration [--recordings N …] [--repeats N] [--json FILE]
    python -m benchmarks.orchestration --archive samples/archive --profile embedded --time cpu

Runs an archive three ways in turn, each as a process of its own with one worker:

- *plain*: a loop over the recordings that decodes, cuts and calls the engines, and keeps nothing;
- *local*: ``voxlake run --local``, which also plans, commits, links, attributes and publishes;
- *Prefect*: ``voxlake run`` as a flow that reports to a server already running.

By default recordings are a minute of tones each, and the fake engines sleep as long as real ones would work, so that
other work on the machine hardly counts; with ``--archive`` and ``--profile`` they are real. Starting a process and
loading libraries counts on all sides. What is left of it does not grow with the archive, so two sizes are measured,
and the row *one hour* is what a straight line through them says of an archive whose engines take an hour.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.output import RATIO_COLUMNS, Row, add_json_option, add_repeats_option, ratio_row, report
from benchmarks.runs import ONE_THREAD, Spent, make_spec, prefect_server, timed_command, voxlake
from storage.lake import Lake
from storage.records import SAMPLES_PER_MS, Clip, ClipContext, Turn
from tasks.audio.chunking import ChunkCutter
from tasks.audio.decode import open_recording
from tasks.planning.discover import discover
from tasks.stages.engine_set import EngineSet
from tasks.stages.facts import speech_in_clip
from tasks.stages.fingerprint import SHORTEST_SPEECH_MS, choose_speech, clean_spans

_DELAYS_MS = {"DETECTOR": 100, "TRANSCRIBER": 2_000, "DIARIZER": 750, "EMBEDDER": 75}
"""Sleep for each clip; two voices in each recording make that three seconds for a minute of sound."""
_SLEEPING = {f"VOXLAKE_{kind}__OPTIONS": f'{{"delay_ms": {ms}}}' for kind, ms in _DELAYS_MS.items()}
WAYS = ("plain", "local", "Prefect")
_PLAIN = "from benchmarks.orchestration import run_plain; run_plain(*{})"
_GOAL = "≤ 1.03"
_HOUR_S = 3600.0

Times = dict[str, list[float]]
"""Seconds by way, a repetition each."""


def main(argv: list[str] | None = None) -> None:
    """Run all ways in turn over each archive, print what the job's ways take over the plain one."""
    options = parse_arguments(argv)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch, prefect_server(Path(scratch) / "prefect") as url:
        environment = {**ONE_THREAD, **({} if options.archive else _SLEEPING)}
        environment |= {"PREFECT_API_URL": url, "VOXLAKE_WORKERS": "1"}
        sizes: list[Times] = []
        for name, archive in archives(options, Path(scratch)):
            taken = run_in_turn(archive, Path(scratch) / f"lakes {name}", options.profile, environment, options.repeats)
            sizes.append({way: [getattr(one, f"{options.time}_s") for one in spent] for way, spent in taken.items()})
            rows += [ratio_row(f"{name}, {way} / plain", sizes[-1][way], sizes[-1]["plain"], _GOAL) for way in WAYS[1:]]
        rows += [extrapolated(way, sizes[0], sizes[-1]) for way in WAYS[1:] if len(sizes) > 1]
    report(f"orchestration, profile {options.profile}, {options.time} time", rows, RATIO_COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("orchestration", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recordings", type=int, nargs="+", default=[10, 40], help="sizes of archives of tones")
    parser.add_argument("--archive", type=Path, help="an archive instead of tones")
    parser.add_argument("--profile", default="fake")
    parser.add_argument("--time", choices=("wall", "cpu"), default="wall", help="cpu where others use the machine")
    add_repeats_option(parser, 3)
    add_json_option(parser)
    return parser.parse_args(argv)


def archives(options: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Yield each archive with what to call it."""
    from tests.archives import conversation
    from tests.lakes import write_wav

    if options.archive:
        yield options.archive.name, options.archive
        return
    for n_recordings in options.recordings:
        archive = scratch / f"archive {n_recordings}"
        for index in range(n_recordings):
            own_length = np.zeros(index * SAMPLES_PER_MS, np.float32)  # equal recordings would be done once
            write_wav(archive / f"{index}.wav", np.append(conversation(index, seconds=60), own_length))
        yield f"{n_recordings} recordings", archive


def run_in_turn(
    archive: Path, lakes: Path, profile: str, environment: dict[str, str], repeats: int
) -> dict[str, list[Spent]]:
    """Return what each way took, repetition by repetition; every run fills a new lake.

    Exit status 1 is allowed: `samples/` has a broken file, as archives do.
    """
    times: dict[str, list[Spent]] = defaultdict(list)
    for repeat in range(repeats):
        commands = {
            "plain": [sys.executable, "-c", _PLAIN.format((str(archive), profile))],
            "local": voxlake("run", archive, lakes / f"local {repeat}", "--profile", profile, "--local", "--json"),
            "Prefect": voxlake("run", archive, lakes / f"Prefect {repeat}", "--profile", profile, "--json"),
        }
        for way in WAYS:
            times[way].append(timed_command(commands[way], environment, allowed=(0, 1)))
            if way != "plain" and Lake(str(lakes / f"{way} {repeat}")).latest_publication() is None:
                raise SystemExit(f"{way}: nothing was published")
    return times


def run_plain(archive: str, profile: str) -> None:
    """Call the engines on every recording of an archive and keep nothing."""
    spec = make_spec(Path(archive), Path(archive) / os.devnull, profile)
    engines = EngineSet(spec)
    for recording in discover(archive).objects:
        with open_recording(archive, recording.source) as reader:
            for cut in ChunkCutter(engines.detector.detect, spec.chunking, spec.channel_mode).cut(reader.blocks()):
                context = ClipContext(speech=speech_in_clip(cut.chunk), language=spec.language)
                engines.transcriber.transcribe([cut.clip], [context])
                (diarization,) = engines.diarizer.diarize([cut.clip], [context])
                if voices := _voices(cut.clip, diarization.turns):
                    engines.embedder.embed(voices)


def _voices(clip: Clip, turns: Sequence[Turn]) -> list[Clip]:
    """Return what each label of a chunk says alone, if that is enough for a fingerprint."""
    voices = []
    for label in sorted({turn.speaker for turn in turns}):
        spans = choose_speech(clean_spans(turns, label))
        if sum(span.duration_ms for span in spans) >= SHORTEST_SPEECH_MS:
            pieces = [clip[span.start_ms * SAMPLES_PER_MS : span.end_ms * SAMPLES_PER_MS] for span in spans]
            voices.append(np.concatenate(pieces))
    return voices


def extrapolated(way: str, small: Times, large: Times) -> Row:
    """Return what a line through the medians of two sizes says of an archive whose engines take an hour.

    Where the line falls, that is the machine's noise: the extra time is then taken to be the longer of the two.
    """
    plain = [statistics.median(size["plain"]) for size in (small, large)]
    extra = [statistics.median(size[way]) - beside for size, beside in zip((small, large), plain, strict=True)]
    slope = (extra[1] - extra[0]) / (plain[1] - plain[0])
    total_s = _HOUR_S + max(*extra, extra[0] + slope * (_HOUR_S - plain[0]))
    return {
        "what": f"one hour, {way} / plain",
        "measured s": total_s,
        "beside s": _HOUR_S,
        "ratio": total_s / _HOUR_S,
        "goal": _GOAL,
    }


if __name__ == "__main__":
    main()
