"""Remake the sample archive and its truth: ``python samples/make_samples.py``.

Needs flite, with its voices, on the PATH (Debian and Ubuntu: ``apt install flite``; macOS: ``brew install flite``).
The same flite and the same codecs give the same bytes.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from recordings import RECORDINGS, Recording
from sound import encode, music
from stage import Placed, play
from voices import PERSONS, RATE_HZ, Samples

HERE = Path(__file__).parent
ARCHIVE = HERE / "archive"
TRUTH = HERE / "truth"
MANIFEST_COLUMNS = ("source", "language", "speakers", "channel_mode", "collection", "title", "recorded_at")


def main() -> int:
    """Remake everything; return the exit status."""
    if missing := missing_voices():
        print(f"flite lacks {', '.join(missing)}: install flite and its voices (apt install flite)", file=sys.stderr)
        return 1
    for folder in (ARCHIVE, TRUTH):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    performances: list[tuple[Recording, list[Placed]]] = []
    for recording in RECORDINGS:
        placed, length_ms = play((HERE / "scripts" / f"{recording.name}.txt").read_text(), recording.seed)
        record(recording, placed, length_ms)
        if recording.kept == 1:
            write_truth(recording, placed)
            performances.append((recording, placed))
        print(f"{recording.source}: {length_ms / 1000:.1f} s")
    write_speakers(performances)
    write_manifest()
    return 0


def missing_voices() -> list[str]:
    """Return what is not installed: flite itself, or voices of its."""
    if shutil.which("flite") is None:
        return ["everything"]
    listed = subprocess.run(["flite", "-lv"], check=True, capture_output=True, text=True).stdout.split()
    return sorted({person.flite for person in PERSONS.values()} - set(listed))


def record(recording: Recording, placed: list[Placed], length_ms: int) -> None:
    """Mix, colour and encode a recording, and break it where it is to be broken."""
    rng = np.random.default_rng(recording.seed)
    tracks = mix(recording, placed, length_ms, rng)
    coloured = np.stack([recording.channel.colour(track, rng) for track in tracks])
    if len(coloured) < recording.encoding.n_channels:
        coloured = np.repeat(coloured, recording.encoding.n_channels, axis=0)
    path = ARCHIVE / recording.source
    path.parent.mkdir(exist_ok=True)
    encode(path, coloured, recording.encoding)
    if recording.kept < 1:
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * recording.kept)])


def mix(recording: Recording, placed: list[Placed], length_ms: int, rng: np.random.Generator) -> Samples:
    """Return the dry sound, (tracks, n): one track, or one per person."""
    persons = list(dict.fromkeys(item.cue.person for item in placed if item.cue.person))
    tracks = np.zeros((len(persons) if recording.one_person_per_channel else 1, length_ms * RATE_HZ // 1000))
    for item in placed:
        sound = music(item.cue.length_ms, rng) if item.cue.kind == "music" else item.sound
        track = persons.index(item.cue.person) if recording.one_person_per_channel else 0
        start = item.start_ms * RATE_HZ // 1000
        tracks[track, start : start + len(sound)] += sound
    return tracks


def write_truth(recording: Recording, placed: list[Placed]) -> None:
    """Write who can be heard when (RTTM) and what each line says (STM)."""
    lines = [item for item in placed if item.cue.kind == "line"]
    turns = sorted((start, end, item.cue.person) for item in lines for start, end in item.audible_ms)
    rttm = (
        f"SPEAKER {recording.file_id} 1 {start / 1000:.3f} {(end - start) / 1000:.3f} <NA> <NA> {person} <NA> <NA>\n"
        for start, end, person in turns
    )
    stm = (
        f"{recording.file_id} 1 {item.cue.person} {item.start_ms / 1000:.3f} {item.end_ms / 1000:.3f} "
        f"{normalized(item.cue.text)}\n"
        for item in sorted(lines, key=lambda item: item.start_ms)
    )
    (TRUTH / f"{recording.file_id}.rttm").write_text("".join(rttm))
    (TRUTH / f"{recording.file_id}.stm").write_text("".join(stm))


def normalized(text: str) -> str:
    """Return the words alone: lower case, no punctuation.

    >>> normalized("It's Friday, isn't it?")
    "it's friday isn't it"
    """
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def write_speakers(performances: Iterable[tuple[Recording, list[Placed]]]) -> None:
    """Write the persons: their voice, the recordings they are in, the seconds they can be heard."""
    heard_ms: dict[str, int] = defaultdict(int)
    files: dict[str, list[str]] = defaultdict(list)
    for recording, placed in performances:
        for item in placed:
            if item.cue.kind == "line":
                heard_ms[item.cue.person] += sum(end - start for start, end in item.audible_ms)
                if recording.file_id not in files[item.cue.person]:
                    files[item.cue.person].append(recording.file_id)
    rows = [
        (name, person.voice, " ".join(files[name]), f"{heard_ms[name] / 1000:.1f}") for name, person in PERSONS.items()
    ]
    write_csv(TRUTH / "speakers.csv", ("person", "voice", "recordings", "seconds"), rows)


def write_manifest() -> None:
    """Write what the archive's owner knows of the recordings; empty where nobody said."""
    rows = [
        (recording.source, *(recording.hints.get(column, "") for column in MANIFEST_COLUMNS[1:]))
        for recording in RECORDINGS
    ]
    write_csv(ARCHIVE / "manifest.csv", MANIFEST_COLUMNS, rows)


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Write a CSV file with plain newlines."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
