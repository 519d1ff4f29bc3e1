"""Whether chunks show: one long recording, cut into chunks of 5, 10 and 20 minutes, and not at all.

    python -m benchmarks.chunks SET [--minutes 5 10 20] [--profile embedded] [--transcriber NAME] [--json FILE]

The recordings of a SET (see ``benchmarks.accuracy``) are put end to end into one, and their truth with them; a person
of several is one person. The main job runs without Prefect once for each length of chunks, each into its own lake.

- DER and WER are against the truth, as in ``benchmarks.accuracy``.
- *same text* and *same speaker* are shares of the words found without chunks: a word is found again that overlaps in
  time and reads the same; local speakers are matched as well as can be. *more* and *fewer* are words that only the
  chunked recording has, and that it has not.

The fake transcriber saves time where only DER is wanted: it takes bursts of tone in the speech for words, which have no
WER, but speakers.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.accuracy import audio_and_truth, read_lake, read_truth, truth_name, turns_within
from benchmarks.output import Row, add_json_option, report
from benchmarks.runs import make_spec
from benchmarks.scoring import on_one_clock
from benchmarks.sounds import ENCODINGS, Pcm, write_recording
from storage.formats.document import DocumentTurn, DocumentUtterance
from storage.records import SAMPLES_PER_MS
from tasks.audio.channels import mix
from tasks.audio.decode import open_recording
from tasks.evaluation.heard import Heard
from tasks.evaluation.references import Reference
from tasks.evaluation.words import found_words, reference_words, word_errors

_COLUMNS = ("minutes", "chunks", "DER %", "DER beside whole", "WER %", "words", "same text %", "same speaker %", "more",
            "fewer", "local speakers")  # fmt: skip
_MINUTE_MS = 60_000
_WHOLE_MINUTES = 1_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How many words one transcript shares with another of the same recording."""

    n_ours: int
    n_theirs: int
    n_same_text: int
    n_same_speaker: int
    """Of these, by the best assignment of speakers."""


def main(argv: list[str] | None = None) -> None:
    """Put the recordings end to end, run once for each length, print."""
    options = parse_arguments(argv)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.lakes or Path(scratch)
        truth = put_end_to_end(options.set, folder / "archive" / "long.flac")
        heard = {
            minutes: _heard(folder, minutes, options.profile, options.transcriber)
            for minutes in (_WHOLE_MINUTES, *options.minutes)
        }
    whole = heard[_WHOLE_MINUTES][0]
    rows = [
        _row(minutes, n, found, whole, truth, has_words=options.transcriber != "fake")
        for minutes, (found, n) in heard.items()
    ]
    report(f"chunks, {whole.duration_ms / _MINUTE_MS:.1f} min", rows, _COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("chunks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("set", type=Path, metavar="SET", help="folder with recordings and their truth")
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0, 10.0, 20.0], help="lengths of chunks")
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--transcriber", help="instead of the profile's; 'fake' to score speakers alone")
    parser.add_argument("--lakes", type=Path, help="folder to keep the recording and the lakes in")
    add_json_option(parser)
    return parser.parse_args(argv)


def put_end_to_end(folder: Path, path: Path) -> Reference:
    """Write a set's recordings as one; return what is known of it."""
    archive, truths = audio_and_truth(folder)
    truth = read_truth(truths)
    sounds: list[Pcm] = []
    turns: list[tuple[tuple[DocumentTurn, ...], int]] = []
    utterances: list[DocumentUtterance] = []
    at_ms = 0
    for file in sorted(file for file in archive.rglob("*") if file.is_file()):
        source = file.relative_to(archive).as_posix()
        known = truth.get(truth_name(source))
        if known is None:
            continue
        with open_recording(str(archive), source) as reader:
            clip = np.concatenate([mix(block) for block in reader.blocks()])
        n_ms = len(clip) // SAMPLES_PER_MS
        sounds.append((clip[: n_ms * SAMPLES_PER_MS] * 32_767).astype(np.int16))
        turns.append((known.turns or (), n_ms))
        utterances += [
            replace(one, start_ms=at_ms + one.start_ms, end_ms=at_ms + one.end_ms) for one in known.utterances or ()
        ]
        at_ms += n_ms
    flac = next(encoding for encoding in ENCODINGS if encoding.codec == "flac")._replace(rate_hz=16_000)
    write_recording(path, sounds, flac)
    return Reference(turns=tuple(on_one_clock(turns)), utterances=tuple(utterances))


def _heard(folder: Path, minutes: float, profile: str, transcriber: str | None) -> tuple[Heard, int]:
    """Return what a run with chunks of this length finds, and how many chunks there were."""
    from flows.local import run_local
    from storage.catalog import open_catalog

    lake, target_ms = folder / f"lake {minutes:g}", round(minutes * _MINUTE_MS)
    chunking = {"target_ms": target_ms, "max_ms": target_ms * 6 // 5}
    chosen = {"transcriber": {"name": transcriber}} if transcriber else {}
    run_local(make_spec(folder / "archive", lake, profile, workers=1, chunking=chunking, **chosen))
    with open_catalog(str(lake)) as catalog:
        ((n_chunks,),) = catalog.execute("SELECT count(DISTINCT chunk_index) FROM fingerprints").fetchall()
    return read_lake(lake)["long"], n_chunks


def _row(minutes: float, n_chunks: int, found: Heard, whole: Heard, truth: Reference, *, has_words: bool) -> Row:
    rates = [turns_within(truth, one).rate for one in (found, whole)]
    same = agreement(found.words, whole.words)
    edits = word_errors(reference_words(truth.utterances or ()), found_words(found.words)) if has_words else None
    return {
        "minutes": None if minutes == _WHOLE_MINUTES else minutes,
        "chunks": n_chunks,
        "DER %": round(100 * rates[0], 2),
        "DER beside whole": round(100 * (rates[0] - rates[1]), 2),
        "WER %": round(100 * edits.rate, 1) if edits else None,
        "words": len(found.words) or None,
        "same text %": round(100 * same.n_same_text / same.n_theirs, 2) if same.n_theirs else None,
        "same speaker %": round(100 * same.n_same_speaker / same.n_theirs, 2) if same.n_theirs else None,
        "more": same.n_ours - same.n_same_text,
        "fewer": same.n_theirs - same.n_same_text,
        "local speakers": len({turn.speaker for turn in found.turns}),
    }


def agreement(ours: Sequence[DocumentUtterance], theirs: Sequence[DocumentUtterance]) -> Agreement:
    """Return how many words of two transcripts are the same; each counts once, the earliest first."""
    free: dict[str, list[DocumentUtterance]] = defaultdict(list)
    for word in theirs:
        free[word.text].append(word)
    shared: Counter[tuple[str, str]] = Counter()
    for word in ours:
        same = next((one for one in free[word.text] if _overlap(word, one)), None)
        if same is not None:
            free[word.text].remove(same)
            shared[str(word.speaker), str(same.speaker)] += 1
    return Agreement(
        n_ours=len(ours), n_theirs=len(theirs), n_same_text=shared.total(), n_same_speaker=_most_together(shared)
    )


def _overlap(one: DocumentUtterance, other: DocumentUtterance) -> bool:
    return one.start_ms < other.end_ms and other.start_ms < one.end_ms


def _most_together(shared: Counter[tuple[str, str]]) -> int:
    """Return how many words keep their speaker if each of ours is called by one of theirs."""
    ours, theirs = (sorted({pair[side] for pair in shared}) for side in (0, 1))
    counts = np.array([[shared[one, other] for other in theirs] for one in ours]).reshape(len(ours), len(theirs))
    return int(counts[linear_sum_assignment(counts, maximize=True)].sum())


if __name__ == "__main__":
    main()
