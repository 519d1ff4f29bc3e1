"""Who is who across recordings of real voices, beside simpler ways to tell and beside what could be told at best.

    python -m benchmarks.identity SET [SET …] [--profile embedded] [--workers N] [--lakes FOLDER] [--json FILE]

Sets, runs and scores are those of ``benchmarks.accuracy``; words are not looked at. Each set is scored by

- *Voxlake*: the speaker IDs of the lake;
- its own local speakers and fingerprints, linked otherwise: by one cosine threshold, halfway between the model's
  strangers and its friends, as average linkage and as connected components; and by scikit-learn's average linkage;
- at best: average linkage on plain cosine, cut where it is best by the truth;
- from the true turns: fingerprints of each person's speech in each recording, nobody else talking, linked by average
  linkage at its best and by Voxlake. This tells what is lost to the diarizer.

Time-weighted B-cubed, and DER with one mapping of persons for the whole set. Then, of all sets together, whether the
confidences of links keep their promise.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import linkers
from benchmarks.accuracy import (
    audio_and_truth,
    identity_scores,
    read_lake,
    read_truth,
    run,
    scored_pairs,
    truth_name,
    turns_within,
)
from benchmarks.confidences import CONFIDENCE_COLUMNS, NO_LINKS, ToldLinks, confidence_rows, told_links
from benchmarks.output import Row, add_json_option, report, write_rows
from benchmarks.scoring import identity_of, on_one_clock
from storage.formats.document import DocumentTurn
from storage.records import SAMPLES_PER_MS, Clip, FloatArray, Turn
from tasks.evaluation.counts import TurnErrors
from tasks.evaluation.heard import Heard
from tasks.evaluation.identity import Identity
from tasks.evaluation.references import Reference
from tasks.evaluation.sharing import shared_ms
from tasks.linking.voices import IntArray, LabelColumns, normalised, prior_of
from tasks.stages.fingerprint import SHORTEST_SPEECH_MS, choose_speech, clean_spans

_COLUMNS = ("set", "linker", "DER %", "DER archive %", "B3 P", "B3 R", "B3 F1", "persons", "IDs")
_MEAN = "mean"

LocalKey = tuple[str, str]
"""Source and local speaker."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Voices:
    """Local speakers of a set, one row each, with what they sound like."""

    keys: tuple[LocalKey, ...]
    model: str
    vectors: FloatArray
    """Unit length, shape ``(n_heard, dim)``: of the first so many; the others have none."""
    speech_ms: IntArray
    """Speech under the vectors."""

    def among_all(self, groups: IntArray) -> IntArray:
        """Return the group of each local speaker; who has no fingerprint is alone."""
        n_silent = len(self.keys) - len(groups)
        return np.concatenate([groups, int(groups.max(initial=-1)) + 1 + np.arange(n_silent)])

    def ids(self, groups: IntArray) -> dict[LocalKey, str]:
        """Return groups as speaker IDs."""
        return dict(zip(self.keys, map(str, self.among_all(groups).tolist()), strict=True))

    def labels(self) -> LabelColumns:
        """Return those who have fingerprints as what linking is given."""
        sources, names = zip(*self.keys[: len(self.vectors)], strict=True)
        present, recording = np.unique(np.array(sources), return_inverse=True)
        nothing = np.zeros(len(sources), np.int64)
        return LabelColumns(
            recording_ids=tuple(present.tolist()),
            recording=recording.astype(np.int64),
            channel=nothing,
            chunk_index=nothing,
            label=names,
            start_ms=nothing,
            speech_ms=self.speech_ms,
            vectors=self.vectors,
        )


def main(argv: list[str] | None = None) -> None:
    """Run the sets and print the scores."""
    options = parse_arguments(argv)
    rows: list[Row] = []
    told = NO_LINKS
    with tempfile.TemporaryDirectory() as scratch:
        for folder in options.sets:
            name = folder.resolve().name
            archive, truth_folder = audio_and_truth(folder)
            lake, truth = (options.lakes or Path(scratch)) / name, read_truth(truth_folder)
            run(archive, lake, options.profile, options.workers, "fake")
            rows += [{"set": name, **row} for row in _scores(archive, lake, truth, options.profile)]
            told = told.and_also(_told(lake, truth))
    rows += _means(rows)
    report(f"identity, profile {options.profile}", rows, _COLUMNS, None)
    sureness = confidence_rows("all", told)
    print()
    report("identity, confidence of links", sureness, CONFIDENCE_COLUMNS, None)
    write_rows("identity", [*rows, *sureness], options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("identity", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET", help="folder with recordings and their truth")
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--workers", type=int, help="worker processes; all usable processors by default")
    parser.add_argument("--lakes", type=Path, help="folder to keep the lakes in, one per set")
    add_json_option(parser)
    return parser.parse_args(argv)


def _scores(archive: Path, lake: Path, truth: dict[str, Reference], profile: str) -> Iterator[Row]:
    """Yield a row per way to tell who is who."""
    heard = scored_pairs(truth, read_lake(lake))
    within = sum((turns_within(known, found) for known, found in heard), TurnErrors())
    der = {"DER %": round(100 * within.rate, 1)}
    yield {"linker": "Voxlake", **der, **identity_scores(heard)}
    voices = read_voices(lake)
    by_linker = dict(_baselines(voices, _shared(lake, truth, voices)))
    for name, groups in by_linker.items():
        pairs = scored_pairs(truth, read_lake(lake, voices.ids(groups)))
        yield {"linker": name, **der, **identity_scores(pairs)}
    found_of = {key: found for key, (_, found) in zip(sorted(truth), heard, strict=True)}
    yield from _scores_of_true_turns(archive, found_of, truth, profile, voices.model)


def _baselines(voices: Voices, shared: _Shared) -> Iterator[tuple[str, IntArray]]:
    middle = linkers.midpoint(prior_of(voices.model))
    tree = linkers.average_linkage(voices.vectors)
    yield "average linkage, prior's middle", linkers.cut(tree, 1 - middle)
    yield "connected, prior's middle", linkers.connected(voices.vectors, middle)
    yield f"scikit-learn at {linkers.SKLEARN_DISTANCE}", linkers.sklearn_average(voices.vectors)
    yield "at best: average linkage", linkers.best_cut(tree, shared.score).groups


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shared:
    """How long persons are heard as local speakers; one row per pair."""

    voices: Voices
    local: IntArray
    person: IntArray
    ms: IntArray

    def score(self, groups: IntArray) -> Identity:
        """Return B-cubed over time of groups of the local speakers with fingerprints."""
        return identity_of(self.person, self.voices.among_all(groups)[self.local], weight=self.ms)


def _shared(lake: Path, truth: dict[str, Reference], voices: Voices) -> _Shared:
    pairs = scored_pairs(truth, read_lake(lake, {key: str(row) for row, key in enumerate(voices.keys)}))
    known = on_one_clock([(one.turns, found.duration_ms) for one, found in pairs])
    exclusive = on_one_clock([(found.identified_exclusive, found.duration_ms) for _, found in pairs])
    shared = shared_ms(known, exclusive)
    _, person = np.unique(np.array([name for name, _ in shared]), return_inverse=True)
    local = np.array([int(row) for _, row in shared], np.int64)
    return _Shared(voices=voices, local=local, person=person, ms=np.array(list(shared.values()), np.int64))


def read_voices(lake: Path) -> Voices:
    """Return the local speakers of a lake; of fingerprints of several chunks the mean, weighted by their speech."""
    from storage.catalog import open_catalog

    with open_catalog(str(lake)) as catalog:
        everybody = catalog.execute("SELECT DISTINCT source, local_speaker FROM turns ORDER BY ALL").fetchall()
        rows = catalog.execute(
            "SELECT r.source, f.local_speaker, f.model, f.vector, f.speech_ms"
            " FROM fingerprints f JOIN recordings r USING (recording_id) WHERE f.vector IS NOT NULL ORDER BY ALL"
        ).fetchall()
    if len(models := {model for _, _, model, _, _ in rows}) != 1:
        raise SystemExit(f"{lake}: fingerprints of {len(models)} models, where one is needed")
    sums: dict[LocalKey, FloatArray] = {}
    speech_ms: dict[LocalKey, int] = defaultdict(int)
    for source, local, _, vector, ms in rows:
        sums[source, local] = sums.get((source, local), 0) + np.array(vector, np.float32) * ms
        speech_ms[source, local] += ms
    return Voices(
        keys=(*sums, *(key for key in everybody if key not in sums)),
        model=models.pop(),
        vectors=normalised(np.stack(list(sums.values()))),
        speech_ms=np.array([speech_ms[key] for key in sums], np.int64),
    )


# ---- from the true turns


def _scores_of_true_turns(
    archive: Path, heard: Mapping[str, Heard], truth: dict[str, Reference], profile: str, model: str
) -> Iterator[Row]:
    """Yield a row per linker of the fingerprints that the true turns give."""
    voices = true_voices(archive, truth, profile, model)
    _, person = np.unique(np.array([name for _, name in voices.keys]), return_inverse=True)
    alone_ms = np.array([_alone_ms(truth[source], name) for source, name in voices.keys])

    def score(groups: IntArray) -> Identity:
        return identity_of(person, voices.among_all(groups), weight=alone_ms)

    tree = linkers.average_linkage(voices.vectors)
    by_linker = {
        "true turns: Voxlake": linkers.voxlake(voices.labels(), prior_of(model)).of_label,
        "true turns, at best: average linkage": linkers.best_cut(tree, score).groups,
    }
    for name, groups in by_linker.items():
        ids = voices.ids(groups)
        pairs = [(known, _renamed(heard[key], key, known, ids)) for key, known in sorted(truth.items())]
        yield {"linker": name, "DER %": 0.0, **identity_scores(pairs)}


def _renamed(heard: Heard, source: str, known: Reference, ids: Mapping[LocalKey, str]) -> Heard:
    """Return a recording as if the diarizer had been right, under other names."""
    own = {name: speaker_id for (at, name), speaker_id in ids.items() if at == source}
    return replace(heard, turns=known.turns, exclusive=known.turns, ids=own)


def true_voices(archive: Path, truth: dict[str, Reference], profile: str, model: str) -> Voices:
    """Return each person's voice in each recording, in speech that nobody else talks over.

    Args:
        archive: Folder of the recordings.
        truth: What is known of each.
        profile: Whose embedder is to be used.
        model: What its fingerprints carry as their model.
    """
    from flows.settings import build_spec, load_settings
    from tasks.stages.engine_set import EngineSet

    with tempfile.TemporaryDirectory() as nowhere:
        spec = build_spec(load_settings(None, profile=profile), str(archive), nowhere)
        embedder = EngineSet(spec).embedder
    keys: list[LocalKey] = []
    silent: list[LocalKey] = []
    vectors: list[FloatArray] = []
    speech_ms: list[int] = []
    for name, clip in _clips(archive, truth):
        for person in sorted({str(turn.speaker) for turn in truth[name].turns}):
            speech = choose_speech(clean_spans(_turns(truth[name].turns), person))
            pieces = [clip[span.start_ms * SAMPLES_PER_MS : span.end_ms * SAMPLES_PER_MS] for span in speech]
            heard_ms = sum(map(len, pieces)) // SAMPLES_PER_MS
            vector = embedder.embed([np.concatenate(pieces)])[0] if heard_ms >= SHORTEST_SPEECH_MS else None
            if vector is None or not np.isfinite(vector).all():
                silent.append((name, person))
                continue
            keys.append((name, person))
            vectors.append(vector)
            speech_ms.append(heard_ms)
    return Voices(
        keys=(*keys, *silent), model=model, vectors=normalised(np.stack(vectors)), speech_ms=np.array(speech_ms)
    )


def _clips(archive: Path, truth: dict[str, Reference]) -> Iterator[tuple[str, Clip]]:
    """Yield the recordings of which the truth is known, one after the other."""
    from tasks.audio.decode import open_recording

    for path in sorted(path for path in archive.rglob("*") if path.is_file()):
        source = path.relative_to(archive).as_posix()
        if truth_name(source) in truth:
            with open_recording(str(archive), source) as reader:
                yield truth_name(source), np.concatenate([block.mean(axis=0) for block in reader.blocks()])


def _turns(turns: Sequence[DocumentTurn]) -> list[Turn]:
    return [Turn(start_ms=turn.start_ms, end_ms=turn.end_ms, speaker=str(turn.speaker)) for turn in turns]


def _alone_ms(known: Reference, person: str) -> int:
    return sum(span.duration_ms for span in clean_spans(_turns(known.turns), person))


# ---- confidence


def _told(lake: Path, truth: dict[str, Reference]) -> ToldLinks:
    """Return how sure the lake is of those local speakers of whom the truth is known."""
    from storage.catalog import open_catalog

    with open_catalog(str(lake)) as catalog:
        links = catalog.execute(
            "SELECT r.source, l.local_speaker, coalesce(l.speaker_id, r.source || l.local_speaker), l.confidence"
            " FROM links l JOIN recordings r USING (recording_id)"
        ).fetchall()
    shared = _shared(lake, truth, voices := read_voices(lake))
    order = np.lexsort((shared.ms, shared.local))
    main = dict(zip(shared.local[order].tolist(), shared.person[order].tolist(), strict=True))
    weight = np.bincount(shared.local, shared.ms, len(voices.keys))
    row_of = {key: row for row, key in enumerate(voices.keys)}
    known = [(row_of[source, local], *link) for source, local, *link in links if row_of.get((source, local)) in main]
    if not known:
        return NO_LINKS
    rows, ids, confidence = zip(*known, strict=True)
    return told_links(
        np.array(confidence, np.float64),
        np.unique(np.array(ids), return_inverse=True)[1],
        np.array([main[row] for row in rows]),
        weight[list(rows)],
    )


def _means(rows: Sequence[Row]) -> list[Row]:
    """Return the mean of all sets for each linker."""
    means = []
    for name in dict.fromkeys(row["linker"] for row in rows):
        some = [row for row in rows if row["linker"] == name]
        mean = {key: float(np.mean([row[key] for row in some])) for key in _COLUMNS[2:]}
        means.append({"set": _MEAN, "linker": name, **mean})
    return means if len({row["set"] for row in rows}) > 1 else []


if __name__ == "__main__":
    main()
