"""How fast engines are, and what their adapters lose against the bare libraries.

    python -m benchmarks.engines [ENGINE …] [--models FOLDER | --profile-weights | --random] [--device auto]
                                 [--minutes N …] [--repeats N] [--json FILE]

Each engine hears the speech of ``samples/`` in chunks of ten minutes, through its adapter and through the library's own
call on the same pieces, in turn. Reported are loading, the speed (seconds of audio per second), the ratio of the two,
the share of padding in the batches, and the peak memory by the length of what is heard: of the process, or on a GPU of
the device.

- ``--models tests/models`` (the default) takes the small models of the tests: their ratios say what adapters cost
  where it shows most, their speeds say nothing about real ones.
- ``--random`` makes models of real size with random weights (TitaNet-L, Sortformer v2, a FastConformer CTC of 0.6
  billion parameters): their speeds are those of the real ones, what they hear is noise.
- ``--profile-weights`` takes the real weights where `voxlake engines fetch` put them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.bare_engines import BARE, padding_share
from benchmarks.large_models import LARGE, make_large
from benchmarks.output import Row, add_json_option, add_repeats_option, ratio_row, report
from benchmarks.runs import ONE_THREAD
from benchmarks.sounds import repeated, sample_speech
from storage.records import SAMPLE_RATE_HZ, Clip, ClipContext
from tasks.engines import registry
from tasks.engines.devices import pick_device
from tasks.engines.registry import EngineKind
from tasks.engines.silero import SileroDetector

_SMALL = Path(__file__).parents[1] / "tests" / "models"
_CHUNK_S = 600
_MEASURE = "from benchmarks.engines import measure; measure(**{})"
_COLUMNS = (
    "engine", "model", "device", "load s", "minutes", "speed", "bare speed", "adapter / bare", "lowest", "highest",
    "padding %", "peak MiB",
)  # fmt: skip
_GOAL = "≤ 1.02"


_LIKE_BARE: Mapping[str, Mapping[str, object]] = {"whisper": {"temperatures": []}, "sortformer": {"fallback": "none"}}
"""Options that keep an adapter from what the bare call does not do: hearing suspect pieces and full chunks again."""


class Measured(NamedTuple):
    """An engine that can be measured."""

    kind: EngineKind
    small: str
    """Its small model below ``tests/models``."""


ENGINES: Mapping[str, Measured] = {
    "whisper": Measured("transcriber", "whisper"),
    "parakeet": Measured("transcriber", "parakeet_ctc.nemo"),
    "sortformer": Measured("diarizer", "sortformer.nemo"),
    "pyannote": Measured("diarizer", "pyannote"),
    "titanet": Measured("embedder", "titanet.nemo"),
}


def main(argv: list[str] | None = None) -> None:
    """Measure each engine and length in a process of its own, so that peaks are of one thing."""
    options = parse_arguments(argv)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.engines or ENGINES:
            if options.random and name not in LARGE:
                print(f"{name}: no model of real size can be made of random weights; fetch its own")
                continue
            model = _model(name, options, Path(scratch))
            for minutes in options.minutes:
                how = {"name": name, "model": model, "device": options.device, "minutes": minutes}
                command = [sys.executable, "-c", _MEASURE.format({**how, "repeats": options.repeats})]
                answer = subprocess.run(command, env=ONE_THREAD, stdout=subprocess.PIPE, check=True)
                rows.append({**json.loads(answer.stdout.splitlines()[-1]), "goal": _GOAL})
    report("engines", rows, _COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("engines", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"of {', '.join(ENGINES)}; all by default")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--models", type=Path, default=_SMALL, help="folder with small models; those of the tests")
    which.add_argument("--random", action="store_true", help="models of real size with random weights")
    which.add_argument("--profile-weights", action="store_true", help="the real weights, fetched before")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--minutes", type=float, nargs="+", default=[10.0], help="lengths of what is heard")
    add_repeats_option(parser, 3)
    add_json_option(parser)
    return parser.parse_args(argv)


def measure(*, name: str, model: str | None, device: str, minutes: float, repeats: int) -> None:
    """Measure one engine on so much speech and print its row as JSON."""
    kind, where = ENGINES[name].kind, pick_device(device)
    options = {**_LIKE_BARE.get(name, {}), **({} if model is None else {"model": model})}
    begun = time.perf_counter()
    engine: Any = registry.find(kind, name).from_options(options, device=where)
    load_s = time.perf_counter() - begun
    clips, contexts = _heard(minutes)
    through_adapter = _calls(kind, engine, clips, contexts)
    bare = BARE[name](engine, options, where, clips, contexts)
    through_adapter()  # the first call of either compiles and fills caches
    peak_mib = _peak_mib(where)
    bare()
    times = [(_timed(through_adapter), _timed(bare)) for _ in range(repeats)]
    row = ratio_row(name, *zip(*times, strict=True), _GOAL)
    print(
        json.dumps(
            {
                "engine": name,
                "model": Path(model).name if model else "default",
                "device": where,
                "load s": load_s,
                "minutes": minutes,
                "speed": minutes * 60 / row["measured s"],
                "bare speed": minutes * 60 / row["beside s"],
                "adapter / bare": row["ratio"],
                "lowest": row["lowest"],
                "highest": row["highest"],
                "padding %": padding_share(name, clips, contexts),
                "peak MiB": peak_mib,
            }
        )
    )


def _model(name: str, options: argparse.Namespace, scratch: Path) -> str | None:
    if options.profile_weights:
        return None
    small = options.models / ENGINES[name].small
    return str(make_large(name, small, scratch / f"{name}.nemo") if options.random else small)


def _heard(minutes: float) -> tuple[list[Clip], list[ClipContext]]:
    """Return the speech of the samples in chunks, with what the detector finds in them."""
    detector = SileroDetector.from_options({}, device="cpu")
    samples = np.concatenate(list(repeated(sample_speech(), minutes * 60))).astype(np.float32) / 32_768
    clips = [samples[at : at + _CHUNK_S * SAMPLE_RATE_HZ] for at in range(0, len(samples), _CHUNK_S * SAMPLE_RATE_HZ)]
    return clips, [ClipContext(speech=tuple(detector.detect(clip)), language="en") for clip in clips]


def _calls(
    kind: EngineKind, engine: Any, clips: Sequence[Clip], contexts: Sequence[ClipContext]
) -> Callable[[], object]:
    if kind == "transcriber":
        return lambda: engine.transcribe(clips, contexts)
    if kind == "diarizer":
        return lambda: engine.diarize(clips, contexts)
    return lambda: engine.embed(clips)


def _timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _peak_mib(device: str) -> float:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
