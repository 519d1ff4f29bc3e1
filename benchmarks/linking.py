"""Linking at the scale of archives, on made-up fingerprints of known people.

    python -m benchmarks.linking [MODE …] [--counts N …] [--people N] [--difficulties default hard] [--seeds N …]
                                 [--from FILE.npz …] [--folder FOLDER] [--repeats N] [--json FILE]

Fingerprints become local speakers and these speakers, by the prior for models that are not known and without any
threshold; results are compared with the truth by B-cubed over fingerprints. Modes, all by default:

- *accuracy*: beside SciPy's exact average linkage, cut where it is best by the truth, and cut at one fixed distance;
  and beside scikit-learn's.
- *speed*: beside SciPy's average linkage, each in a process of its own, in turn: by the clock and by processor time.
- *scale*: time, accuracy and peak memory, input included, of a process of its own; with all usable processors.
- *increment*: recordings that came later, one by one and all at once, beside linking the whole again.
- *confidence*: of links told to be that sure, how many are right.

``--from`` takes other fingerprints instead of made ones: arrays ``vectors``, ``seconds``, ``recording``, ``chunk`` and
``person``. ``--folder`` keeps those made. One million fingerprints (``scale --counts 1000000``) take a while.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import fingerprints, linkers
from benchmarks.confidences import CONFIDENCE_COLUMNS, NO_LINKS, ToldLinks, confidence_rows, told_links
from benchmarks.fingerprints import Fingerprints
from benchmarks.increments import KnownPeople
from benchmarks.output import RATIO_COLUMNS, Row, add_json_option, add_repeats_option, ratio_row, report, write_rows
from benchmarks.runs import peak_mib
from benchmarks.scoring import identity_of
from tasks.evaluation.identity import Identity
from tasks.linking.local import name_local_speakers
from tasks.linking.speakers import link_speakers
from tasks.linking.voices import COMMON_PRIOR, BoolArray, IntArray
from tasks.threads import limit_threads, usable_cpus

_FIXED_DISTANCE = 0.70
"""Where SciPy's tree is cut, whatever the set: the best for many sets of the default difficulty."""
_HEARD_AGAIN = 20
"""Fingerprints of a person, on average."""
_NEW_SHARE = 0.1
_SAMPLE = 100
"""Recordings that are added one by one."""
_MEASURE = "from benchmarks.linking import measure; measure({!r}, {!r}, {!r})"
_FOUND = ("B3 P", "B3 R", "B3 F1", "persons", "IDs")
_SET = ("set", "seed", "count")


class Made(NamedTuple):
    """A set of fingerprints in a file."""

    path: Path
    row: Row
    """What tells it apart."""


def main(argv: list[str] | None = None) -> None:
    """Measure each mode and print."""
    options = parse_arguments(argv)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        options.folder = options.folder or Path(scratch)
        options.folder.mkdir(parents=True, exist_ok=True)
        for name in options.modes or MODES:
            mode = MODES[name]
            found = mode.run(options)
            report(f"linking, {name}", found, mode.columns, None)
            print()
            rows += [{"mode": name, **row} for row in found]
            write_rows("linking", rows, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("linking", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modes", nargs="*", metavar="MODE", help=f"any of {', '.join(MODES)}")
    parser.add_argument("--counts", type=int, nargs="+", metavar="N", help="fingerprints, instead of each mode's own")
    parser.add_argument("--people", type=int, metavar="N", help=f"one for {_HEARD_AGAIN} fingerprints by default")
    parser.add_argument("--difficulties", nargs="+", choices=fingerprints.DIFFICULTIES, metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="N")
    parser.add_argument("--from", dest="files", type=Path, nargs="+", metavar="FILE", help="fingerprints to take")
    parser.add_argument("--folder", type=Path, help="where to keep the fingerprints that are made")
    add_repeats_option(parser, 5)
    add_json_option(parser)
    options = parser.parse_args(argv)
    for mode in options.modes:
        if mode not in MODES:
            parser.error(f"unknown mode {mode!r}: there are {', '.join(MODES)}")
    return options


def sets(
    options: argparse.Namespace, counts: Sequence[int], difficulties: Sequence[str], seeds: Sequence[int]
) -> Iterator[Made]:
    """Yield the files given, or else sets as asked for, or else as the mode would like; they are made one by one."""
    for path in options.files or ():
        yield Made(path, {"set": path.stem})
    if options.files:
        return
    for difficulty in options.difficulties or difficulties:
        for count in options.counts or counts:
            for seed in options.seeds or seeds:
                people = options.people or max(1, count // _HEARD_AGAIN)
                path = options.folder / f"{difficulty}-{count}-{people}-{seed}.npz"
                if not path.exists():
                    fingerprints.make(count, people=people, difficulty=difficulty, seed=seed).save(path)
                yield Made(path, {"set": difficulty, "seed": seed})


# ---- accuracy


def accuracy(options: argparse.Namespace) -> list[Row]:
    """Compare the partitions that linkers find."""
    return [
        one.row | row
        for one in sets(options, [10_000], tuple(fingerprints.DIFFICULTIES), range(5))
        for row in _accuracies(fingerprints.load(one.path))
    ]


def _accuracies(known: Fingerprints) -> list[Row]:
    def score(groups: IntArray) -> Identity:
        return identity_of(known.person, groups)

    tree = linkers.average_linkage(known.vectors)
    best = linkers.best_cut(tree, score)
    by_linker = {
        "Voxlake": linkers.voxlake(known.labels(), COMMON_PRIOR).of_label,
        f"average linkage at {best.distance:.3f}, its best": best.groups,
        f"average linkage at {_FIXED_DISTANCE}": linkers.cut(tree, _FIXED_DISTANCE),
        f"scikit-learn at {linkers.SKLEARN_DISTANCE}": linkers.sklearn_average(known.vectors),
    }
    return [
        {"count": len(known), "linker": name, **_found(known, groups), "over best": score(groups).f1 - best.identity.f1}
        for name, groups in by_linker.items()
    ]


def _found(known: Fingerprints, groups: IntArray) -> Row:
    identity = identity_of(known.person, groups)
    return {
        "B3 P": round(identity.precision, 4),
        "B3 R": round(identity.recall, 4),
        "B3 F1": round(identity.f1, 4),
        "persons": len(np.unique(known.person)),
        "IDs": len(np.unique(groups)),
    }


# ---- speed and scale


def speed(options: argparse.Namespace) -> list[Row]:
    """Time Voxlake beside SciPy, each in a process of its own."""
    rows = []
    for one in sets(options, [20_000], ["default"], [0]):
        known = fingerprints.load(one.path)
        pairs = [
            (_in_process_of_its_own(one.path, "voxlake"), _in_process_of_its_own(one.path, "scipy"))
            for _ in range(options.repeats)
        ]
        ours, theirs = zip(*pairs, strict=True)
        ratios = (
            ratio_row("Voxlake / SciPy", [own.seconds for own in ours], [their.seconds for their in theirs], "< 1"),
            ratio_row("processor time", [own.cpu_s for own in ours], [their.cpu_s for their in theirs], "< 1"),
        )
        beside = {
            "MiB": max(own.mib for own in ours),
            "beside MiB": max(their.mib for their in theirs),
            "B3 F1": _found(known, ours[0].groups)["B3 F1"],
            "beside F1": _found(known, theirs[0].groups)["B3 F1"],
        }
        rows += [{**one.row, "count": len(known), **ratio, **beside} for ratio in ratios]
    return rows


def scale(options: argparse.Namespace) -> list[Row]:
    """Time ever more fingerprints, with the peak memory of the process."""
    rows = []
    for one in sets(options, [10_000, 30_000, 100_000], ["default"], [0]):
        measured = _in_process_of_its_own(one.path, "voxlake")
        known = fingerprints.load(one.path)
        rows.append(
            {
                **one.row,
                "count": len(known),
                "threads": usable_cpus(),
                "seconds": measured.seconds,
                "of it local": measured.local_seconds,
                "processor s": measured.cpu_s,
                "µs each": 1e6 * measured.seconds / len(known),
                "peak MiB": measured.mib,
                "input MiB": known.vectors.nbytes / 2**20,
                **_found(known, measured.groups),
            }
        )
        print(f"{one.path.stem}: {measured.seconds:.1f} s, {measured.mib:.0f} MiB", file=sys.stderr, flush=True)
    return rows


class _Measured(NamedTuple):
    seconds: float
    local_seconds: float
    cpu_s: float
    mib: float
    groups: IntArray


def _in_process_of_its_own(path: Path, linker: str) -> _Measured:
    environment = dict(os.environ)
    limit_threads(usable_cpus(), environment)
    with tempfile.TemporaryDirectory() as folder:
        groups = Path(folder) / "groups.npy"
        command = [sys.executable, "-c", _MEASURE.format(str(path), linker, str(groups))]
        answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        return _Measured(**json.loads(answer.stdout), groups=np.load(groups))


def measure(path: str, linker: str, groups_path: str) -> None:
    """Link a file's fingerprints, print what it took, and write the groups."""
    from faiss import IndexFlatIP  # noqa: F401 - importing is not linking
    from scipy.cluster import hierarchy  # noqa: F401

    known = fingerprints.load(Path(path))
    labels, vectors = known.labels(), known.vectors
    del known
    started, cpu = time.perf_counter(), time.process_time()
    if linker == "voxlake":
        local = name_local_speakers(labels, COMMON_PRIOR)
        del labels, vectors
        local_s = time.perf_counter() - started
        groups = linkers.Linked(local, link_speakers(local, COMMON_PRIOR)).of_label
    else:
        groups, local_s = linkers.cut(linkers.average_linkage(vectors), _FIXED_DISTANCE), 0.0
    spent_s, cpu_s, peak = time.perf_counter() - started, time.process_time() - cpu, peak_mib()
    np.save(groups_path, groups)
    print(json.dumps({"seconds": spent_s, "local_seconds": local_s, "cpu_s": cpu_s, "mib": peak}))


# ---- recordings that came later


def increment(options: argparse.Namespace) -> list[Row]:
    """Add the last recordings to the people of the others, and link the whole again."""
    return [
        one.row | row
        for one in sets(options, [20_000], tuple(fingerprints.DIFFICULTIES), [0])
        for row in _increments(fingerprints.load(one.path))
    ]


def _increments(known: Fingerprints) -> list[Row]:
    recordings = np.unique(known.recording)
    first_new = int(len(recordings) * (1 - _NEW_SHARE))
    new, sample = recordings[first_new:], recordings[first_new : first_new + _SAMPLE]
    is_old = known.recording < recordings[first_new]
    start = linkers.voxlake(known.labels(is_old), COMMON_PRIOR)
    return [
        _added(known, is_old, start, [[one] for one in sample.tolist()], "one recording / the whole", "≤ 0.05"),
        _added(known, is_old, start, [new.tolist()], f"{_NEW_SHARE:.0%} at once / the whole", "≤ 0.5"),
    ]


def _added(
    known: Fingerprints,
    is_old: BoolArray,
    start: linkers.Linked,
    parts: Sequence[Sequence[int]],
    what: str,
    goal: str,
) -> Row:
    """Add parts one after the other to what was linked; compare with a link of the same fingerprints as a whole."""
    people = KnownPeople(start, COMMON_PRIOR)
    group = np.full(len(known), -1)
    group[is_old] = start.of_local[start.local.of_label]
    spent = []
    for part in parts:
        some = np.isin(known.recording, part)
        labels = known.labels(some)
        started = time.perf_counter()
        group[some] = people.add(labels)
        spent.append(time.perf_counter() - started)
    is_there = group >= 0
    labels, person = known.labels(is_there), known.person[is_there]
    started = time.perf_counter()
    whole = linkers.voxlake(labels, COMMON_PRIOR).of_label
    whole_s = time.perf_counter() - started
    added, is_new = people.now(group[is_there]), ~is_old[is_there]
    return {
        "count": int(is_there.sum()),
        "new": int(is_new.sum()),
        **ratio_row(what, spent, [whole_s] * len(spent), goal),
        "B3 F1": round(identity_of(person, added).f1, 4),
        "whole F1": round(identity_of(person, whole).f1, 4),
        "new F1": round(identity_of(person, added, items=is_new).f1, 4),
        "whole new F1": round(identity_of(person, whole, items=is_new).f1, 4),
        "slowest s": max(spent),
        "all s": sum(spent),
        "mean s": statistics.mean(spent),
    }


# ---- confidence


def confidence(options: argparse.Namespace) -> list[Row]:
    """Compare how sure links are told to be with how often they are right; seeds together."""
    told: dict[str, ToldLinks] = {}
    for one in sets(options, [10_000], tuple(fingerprints.DIFFICULTIES), range(5)):
        name = one.row["set"]
        told[name] = told.get(name, NO_LINKS).and_also(_told(fingerprints.load(one.path)))
    return [row for name, links in told.items() for row in confidence_rows(name, links)]


def _told(known: Fingerprints) -> ToldLinks:
    linked = linkers.voxlake(known.labels(), COMMON_PRIOR)
    person = _main_person(linked.local.of_label, known)
    return told_links(linked.links.certainty.confidence, linked.of_local, person, linked.local.speech_ms)


def _main_person(of_label: IntArray, known: Fingerprints) -> IntArray:
    """Return of each local speaker the person with most of its speech."""
    width = int(known.person.max()) + 1
    pairs, of_pair = np.unique(of_label * width + known.person, return_inverse=True)
    local, person = np.divmod(pairs, width)
    order = np.lexsort((np.bincount(of_pair, known.seconds), local))
    main = np.empty(int(of_label.max()) + 1, np.int64)
    main[local[order]] = person[order]  # of several for one place the last stays: the one with most
    return main


class _Mode(NamedTuple):
    run: Callable[[argparse.Namespace], list[Row]]
    columns: tuple[str, ...]


MODES: Mapping[str, _Mode] = {
    "accuracy": _Mode(accuracy, (*_SET, "linker", *_FOUND, "over best")),
    "speed": _Mode(speed, (*_SET, *RATIO_COLUMNS, "MiB", "beside MiB", "B3 F1", "beside F1")),
    "scale": _Mode(
        scale,
        (*_SET, "threads", "seconds", "of it local", "processor s", "µs each", "peak MiB", "input MiB", *_FOUND),
    ),
    "increment": _Mode(
        increment,
        (*_SET, "new", *RATIO_COLUMNS, "slowest s", "B3 F1", "whole F1", "new F1", "whole new F1"),
    ),
    "confidence": _Mode(confidence, CONFIDENCE_COLUMNS),
}


if __name__ == "__main__":
    main()
