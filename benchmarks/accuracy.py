"""How right the engines are: words, turns and identities of a whole lake against the truth.

    python -m benchmarks.accuracy samples [SET …] [--profile embedded] [--lakes FOLDER] [--json FILE]

A SET is a folder with recordings in ``archive/`` or ``audio/`` and their truth in ``truth/`` or ``refs/``: an RTTM
and, where words are known, an STM per recording, named like its source without suffix, ``/`` as ``_``. Each set becomes
a lake of its own through the main job without Prefect; ``--lakes`` keeps the lakes and takes up those that are there.
Recordings without an RTTM are processed and linked like the others, but not scored.

- WER: all words of a recording by time, lower case, without punctuation. cpWER: the same per speaker.
- DER: no collar, overlap scored; per recording with the speakers of that recording, and *archive-wide* with
  ``speaker_id`` and one mapping of persons for the whole set.
- B-cubed precision, recall and F1 of ``speaker_id`` over the time in which one person talks and one ID is given.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.output import Row, add_json_option, report
from benchmarks.scoring import on_one_clock
from storage.records import Span
from tasks.evaluation.counts import TurnErrors, WordEdits
from tasks.evaluation.diarization import turn_errors
from tasks.evaluation.heard import Heard, read_heard
from tasks.evaluation.identity import b_cubed
from tasks.evaluation.references import Reference, read_references, whole_reference
from tasks.evaluation.sharing import shared_ms
from tasks.evaluation.words import found_words, reference_words, speaker_word_errors, word_errors

_COLUMNS = ("set", "recording", "min", "WER %", "cpWER %", "DER %", "missed", "false", "confused", "DER archive %",
            "B3 P", "B3 R", "B3 F1", "persons", "IDs")  # fmt: skip
_ALL = "all"


def main(argv: list[str] | None = None) -> None:
    """Run the sets and print the scores."""
    options = parse_arguments(argv)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for folder in options.sets:
            archive, truth = audio_and_truth(folder)
            lake = (options.lakes or Path(scratch)) / folder.resolve().name
            run(archive, lake, options.profile, options.workers, options.transcriber)
            has_words = options.transcriber != "fake"
            rows += score(folder.resolve().name, read_truth(truth), read_lake(lake), has_words=has_words)
    report("accuracy", rows, _COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("accuracy", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET", help="folder with recordings and their truth")
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--workers", type=int, help="worker processes; all usable processors by default")
    parser.add_argument("--transcriber", help="instead of the profile's; 'fake' to score speakers alone")
    parser.add_argument("--lakes", type=Path, help="folder to keep the lakes in, one per set")
    add_json_option(parser)
    return parser.parse_args(argv)


def audio_and_truth(folder: Path) -> tuple[Path, Path]:
    """Return where a set's recordings and truths are.

    Raises:
        SystemExit: it has no such folders.
    """
    found = [next((folder / name for name in names if (folder / name).is_dir()), None) for names in _FOLDERS]
    audio, truth = found
    if audio is None or truth is None:
        raise SystemExit(f"{folder}: needs a folder archive/ or audio/ and a folder truth/ or refs/")
    return audio, truth


_FOLDERS = (("archive", "audio"), ("truth", "refs"))


def run(archive: Path, lake: Path, profile: str, workers: int | None, transcriber: str | None) -> None:
    """Do the main job, or what is left of it."""
    from flows.local import run_local
    from flows.settings import EngineSettings, build_spec, load_settings

    chosen = EngineSettings(name=transcriber) if transcriber else None
    settings = load_settings(None, profile=profile, workers=workers, transcriber=chosen)
    run_local(build_spec(settings, str(archive), str(lake)))


def read_truth(folder: Path) -> dict[str, Reference]:
    """Return what is known, by recording; those without an RTTM are not scored."""
    parts = defaultdict(list)
    for part in read_references(str(folder)).parts:
        parts[part.names[-1]].append(part)
    return {name: whole_reference(own) for name, own in parts.items() if any(one.suffix == ".rttm" for one in own)}


def read_lake(lake: Path, who: Mapping[tuple[str, str], str] | None = None) -> dict[str, Heard]:
    """Return what the lake says, by recording.

    Args:
        lake: The lake.
        who: Other speaker IDs than the lake's, by source and local speaker.
    """
    from storage.catalog import open_catalog

    found = {}
    with open_catalog(str(lake)) as catalog:
        recordings = catalog.execute("SELECT recording_id, source, duration_ms FROM recordings WHERE duration_ms > 0")
        for recording_id, source, duration_ms in recordings.fetchall():
            heard = read_heard(catalog, recording_id, duration_ms)
            if who is not None:
                heard = replace(heard, ids={local: who[source, local] for local in heard.ids})
            found[truth_name(source)] = heard
    return found


def truth_name(source: str) -> str:
    """Return how a recording's truth is called.

    >>> truth_name("calls/ferry-office.wav")
    'calls_ferry-office'
    """
    return source.rpartition(".")[0].replace("/", "_")


def score(name: str, truth: dict[str, Reference], heard: dict[str, Heard], *, has_words: bool) -> list[Row]:
    """Return a row per recording and one for all; a recording that the lake lacks counts as empty."""
    rows, words, cp_words, turns = [], WordEdits(), WordEdits(), TurnErrors()
    pairs = scored_pairs(truth, heard)
    for key, (known, found) in zip(sorted(truth), pairs, strict=True):
        own_words, own_cp = _word_scores(known, found) if has_words else (WordEdits(), WordEdits())
        own_turns = turns_within(known, found)
        rows.append(_row(name, key, found.duration_ms, own_words, own_cp, own_turns))
        words, cp_words, turns = words + own_words, cp_words + own_cp, turns + own_turns
    total_ms = sum(found.duration_ms for _, found in pairs)
    return [*rows, _row(name, _ALL, total_ms, words, cp_words, turns) | identity_scores(pairs)]


def scored_pairs(truth: dict[str, Reference], heard: dict[str, Heard]) -> list[tuple[Reference, Heard]]:
    """Return the truth of each recording that has one, with what the lake says of it; nothing where it lacks it."""
    return [(truth[key], heard.get(key) or Heard(duration_ms=truth[key].end_ms)) for key in sorted(truth)]


def turns_within(known: Reference, found: Heard) -> TurnErrors:
    """Return the errors of a recording's turns, with the speakers of that recording."""
    return turn_errors(known.turns, found.turns, _whole(found.duration_ms))


def _word_scores(known: Reference, found: Heard) -> tuple[WordEdits, WordEdits]:
    if not known.utterances:
        return WordEdits(), WordEdits()
    said, got = reference_words(known.utterances), found_words(found.words)
    return word_errors(said, got), speaker_word_errors(said, got)


def identity_scores(pairs: Sequence[tuple[Reference, Heard]]) -> Row:
    """Return how right speaker IDs are, all recordings taken for one."""
    total_ms = sum(found.duration_ms for _, found in pairs)
    known = on_one_clock([(truth.turns, found.duration_ms) for truth, found in pairs])
    identified = on_one_clock([(found.identified, found.duration_ms) for _, found in pairs])
    exclusive = on_one_clock([(found.identified_exclusive, found.duration_ms) for _, found in pairs])
    identity = b_cubed(shared_ms(known, exclusive))
    return {
        "DER archive %": _percent(turn_errors(known, identified, _whole(total_ms)).rate),
        "B3 P": round(identity.precision, 3),
        "B3 R": round(identity.recall, 3),
        "B3 F1": round(identity.f1, 3),
        "persons": len({turn.speaker for turn in known}),
        "IDs": len({turn.speaker for turn in identified}),
    }


def _row(name: str, key: str, duration_ms: int, words: WordEdits, cp_words: WordEdits, turns: TurnErrors) -> Row:
    speech_ms = max(1, turns.speech_ms)
    return dict.fromkeys(_COLUMNS) | {
        "set": name,
        "recording": key,
        "min": round(duration_ms / 60_000, 1),
        "WER %": _percent(words.rate) if words.n_words else None,
        "cpWER %": _percent(cp_words.rate) if cp_words.n_words else None,
        "DER %": _percent(turns.rate),
        "missed": _percent(turns.missed_ms / speech_ms),
        "false": _percent(turns.false_ms / speech_ms),
        "confused": _percent(turns.confused_ms / speech_ms),
    }


def _percent(share: float) -> float:
    return round(100 * share, 1)


def _whole(duration_ms: int) -> tuple[Span, ...]:
    return (Span(start_ms=0, end_ms=duration_ms),)


if __name__ == "__main__":
    main()
