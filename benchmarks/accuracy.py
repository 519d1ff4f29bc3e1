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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.output import Row, add_json_option, report
from benchmarks.scoring import (
    TurnErrors,
    WordErrors,
    b_cubed,
    by_speaker,
    on_one_clock,
    plain_words,
    shared_ms,
    speaker_word_errors,
    turn_errors,
    word_errors,
)
from storage.formats import rttm, stm
from storage.formats.document import DocumentTurn, DocumentUtterance

_COLUMNS = ("set", "recording", "min", "WER %", "cpWER %", "DER %", "missed", "false", "confused", "DER archive %",
            "B3 P", "B3 R", "B3 F1", "persons", "IDs")  # fmt: skip
_ALL = "all"


class Truth(NamedTuple):
    """What is known of one recording."""

    turns: tuple[DocumentTurn, ...]
    utterances: tuple[DocumentUtterance, ...]
    """Empty where the words are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the lake says of one recording."""

    duration_ms: int
    words: tuple[DocumentUtterance, ...]
    """One word each, by time."""
    turns: tuple[DocumentTurn, ...]
    """With local speakers."""
    identified: tuple[DocumentTurn, ...]
    """The same with speaker IDs; who has none is nobody else's equal."""
    exclusive: tuple[DocumentTurn, ...]
    """With speaker IDs, one at a time."""


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


def read_truth(folder: Path) -> dict[str, Truth]:
    """Return what is known, by recording."""
    known = {}
    for path in sorted(folder.glob("*.rttm")):
        words = path.with_suffix(".stm")
        utterances = stm.parse(words.read_text()).utterances if words.exists() else ()
        known[path.stem] = Truth(rttm.parse(path.read_text()).turns, utterances)
    return known


def read_lake(lake: Path, who: Mapping[tuple[str, str], str] | None = None) -> dict[str, Heard]:
    """Return what the lake says, by recording.

    Args:
        lake: The lake.
        who: Other speaker IDs than the lake's, by source and local speaker.
    """
    from storage.catalog import open_catalog

    with open_catalog(str(lake)) as catalog:
        recordings = catalog.execute("SELECT source, duration_ms FROM recordings WHERE duration_ms > 0").fetchall()
        words, turns = defaultdict(list), defaultdict(list)
        for source, *word in catalog.execute(
            "SELECT source, start_ms, end_ms, text, local_speaker FROM words ORDER BY source, start_ms, word_index"
        ).fetchall():
            words[source].append(word)
        for source, *turn in catalog.execute(
            "SELECT source, start_ms, end_ms, local_speaker, coalesce(speaker_id, source || local_speaker),"
            " is_exclusive FROM turns ORDER BY source, start_ms, end_ms, local_speaker"
        ).fetchall():
            if who is not None:
                turn[3] = who[source, turn[2]]
            turns[source].append(turn)
    return {truth_name(source): _heard(duration_ms, words[source], turns[source]) for source, duration_ms in recordings}


def truth_name(source: str) -> str:
    """Return how a recording's truth is called.

    >>> truth_name("calls/ferry-office.wav")
    'calls_ferry-office'
    """
    return source.rpartition(".")[0].replace("/", "_")


def _heard(duration_ms: int, words: list[Any], turns: list[Any]) -> Heard:
    all_turns = [turn for turn in turns if not turn[-1]]
    return Heard(
        duration_ms=duration_ms,
        words=tuple(DocumentUtterance(start_ms=a, end_ms=b, text=text, speaker=who) for a, b, text, who in words),
        turns=tuple(DocumentTurn(start_ms=a, end_ms=b, speaker=local) for a, b, local, _, _ in all_turns),
        identified=tuple(DocumentTurn(start_ms=a, end_ms=b, speaker=who) for a, b, _, who, _ in all_turns),
        exclusive=tuple(DocumentTurn(start_ms=a, end_ms=b, speaker=who) for a, b, _, who, one in turns if one),
    )


def score(name: str, truth: dict[str, Truth], heard: dict[str, Heard], *, has_words: bool) -> list[Row]:
    """Return a row per recording and one for all; a recording that the lake lacks counts as empty."""
    rows, words, cp_words, turns = [], WordErrors(), WordErrors(), TurnErrors()
    pairs = scored_pairs(truth, heard)
    for key, (known, found) in zip(sorted(truth), pairs, strict=True):
        own_words, own_cp = _word_scores(known, found) if has_words else (WordErrors(), WordErrors())
        own_turns = turn_errors(known.turns, found.turns, found.duration_ms)
        rows.append(_row(name, key, found.duration_ms, own_words, own_cp, own_turns))
        words, cp_words, turns = words + own_words, cp_words + own_cp, turns + own_turns
    total_ms = sum(found.duration_ms for _, found in pairs)
    return [*rows, _row(name, _ALL, total_ms, words, cp_words, turns) | identity_scores(pairs)]


def scored_pairs(truth: dict[str, Truth], heard: dict[str, Heard]) -> list[tuple[Truth, Heard]]:
    """Return the truth of each recording that has one, with what the lake says of it; nothing where it lacks it."""
    return [(truth[key], heard.get(key) or _nothing(truth[key])) for key in sorted(truth)]


def _word_scores(known: Truth, found: Heard) -> tuple[WordErrors, WordErrors]:
    if not known.utterances:
        return WordErrors(), WordErrors()
    in_order = sorted(known.utterances, key=lambda utterance: utterance.start_ms)
    said = [word for utterance in in_order for word in plain_words(utterance.text)]
    got = [word for one in found.words for word in plain_words(one.text)]
    return word_errors(said, got), speaker_word_errors(by_speaker(known.utterances), by_speaker(found.words))


def identity_scores(pairs: Sequence[tuple[Truth, Heard]]) -> Row:
    """Return how right speaker IDs are, all recordings taken for one."""
    total_ms = sum(found.duration_ms for _, found in pairs)
    known = on_one_clock([(truth.turns, found.duration_ms) for truth, found in pairs])
    identified = on_one_clock([(found.identified, found.duration_ms) for _, found in pairs])
    exclusive = on_one_clock([(found.exclusive, found.duration_ms) for _, found in pairs])
    identity = b_cubed(shared_ms(known, exclusive))
    return {
        "DER archive %": _percent(turn_errors(known, identified, total_ms).rate),
        "B3 P": round(identity.precision, 3),
        "B3 R": round(identity.recall, 3),
        "B3 F1": round(identity.f1, 3),
        "persons": len({turn.speaker for turn in known}),
        "IDs": len({turn.speaker for turn in identified}),
    }


def _row(name: str, key: str, duration_ms: int, words: WordErrors, cp_words: WordErrors, turns: TurnErrors) -> Row:
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


def _nothing(known: Truth) -> Heard:
    return Heard(duration_ms=max(turn.end_ms for turn in known.turns), words=(), turns=(), identified=(), exclusive=())


if __name__ == "__main__":
    main()
