"""The sample archive is what its README says."""

import csv
import itertools
from collections import defaultdict
from pathlib import Path

import av
import pytest

SAMPLES = Path(__file__).parents[2] / "samples"
ARCHIVE = SAMPLES / "archive"
TRUTH = SAMPLES / "truth"
BROKEN = "memoirs/night-shift.flac"
HINTS = ["source", "language", "speakers", "channel_mode", "collection", "title", "recorded_at"]

SOURCES = sorted(str(path.relative_to(ARCHIVE)) for path in ARCHIVE.glob("*/*"))
WHOLE = [source for source in SOURCES if source != BROKEN]


def file_id(source):
    return source.rsplit(".", 1)[0].replace("/", "_")


def ms(seconds):
    return round(float(seconds) * 1000)


def claimed_s(source):
    with av.open(str(ARCHIVE / source)) as container:
        stream = container.streams.audio[0]
        return float(stream.duration * stream.time_base)


def decoded_s(source):
    with av.open(str(ARCHIVE / source)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def turns(source):
    for line in (TRUTH / f"{file_id(source)}.rttm").read_text().splitlines():
        kind, name, _, start, length, _, _, person, _, _ = line.split()
        assert (kind, name) == ("SPEAKER", file_id(source))
        yield ms(start), ms(start) + ms(length), person


def lines(source):
    for line in (TRUTH / f"{file_id(source)}.stm").read_text().splitlines():
        name, _, person, start, end, text = line.split(" ", 5)
        assert name == file_id(source)
        yield ms(start), ms(end), person, text


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def everyone():
    found = defaultdict(set)
    for source in WHOLE:
        for _, _, person in turns(source):
            found[person].add(source)
    return found


def overlaps_ms(source):
    return [
        min(first[1], second[1]) - max(first[0], second[0])
        for first, second in itertools.combinations(turns(source), 2)
        if first[2] != second[2] and min(first[1], second[1]) > max(first[0], second[0])
    ]


def test_the_archive_is_small_but_real():
    assert 8 <= len(SOURCES) <= 10
    assert 600 <= sum(map(claimed_s, WHOLE)) <= 690
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) <= 5_000_000


def test_formats():
    assert {source.rsplit(".", 1)[1] for source in SOURCES} == {"flac", "mp3", "opus", "m4a", "mp4", "wav"}
    with av.open(str(ARCHIVE / "calls/ferry-office.wav")) as call:
        assert (call.streams.audio[0].rate, call.streams.audio[0].channels) == (8000, 2)
    with av.open(str(ARCHIVE / "film/market-day.mp4")) as film:
        assert film.streams.video


@pytest.mark.parametrize("source", WHOLE)
def test_truth_lies_inside_what_can_be_decoded(source):
    assert decoded_s(source) == pytest.approx(claimed_s(source), abs=0.15)
    length_ms = decoded_s(source) * 1000
    assert all(0 <= start < end <= length_ms for start, end, _ in turns(source))
    assert all(0 <= start < end <= length_ms for start, end, _, _ in lines(source))


@pytest.mark.parametrize("source", WHOLE)
def test_rttm_and_stm_agree(source):
    for start, end, person in turns(source):
        assert any(who == person and since <= start and end <= until for since, until, who, _ in lines(source))


@pytest.mark.parametrize("source", WHOLE)
def test_text_is_plain_words(source):
    assert all(set(text) <= set("abcdefghijklmnopqrstuvwxyz' ") for *_, text in lines(source))


def test_persons_come_back():
    found = everyone()
    assert len(found) >= 5
    assert sum(len(sources) >= 2 for sources in found.values()) >= 3
    assert {len({person for *_, person in turns(source)}) for source in WHOLE} >= {1, 2, 3, 4}


def test_speakers_csv_agrees_with_the_turns():
    found = everyone()
    rows = {row["person"]: row for row in read_csv(TRUTH / "speakers.csv")}
    assert rows.keys() == found.keys()
    for person, sources in found.items():
        assert set(rows[person]["recordings"].split()) == set(map(file_id, sources))
        heard_ms = sum(end - start for source in sources for start, end, who in turns(source) if who == person)
        assert float(rows[person]["seconds"]) == pytest.approx(heard_ms / 1000, abs=0.06)


def test_a_little_speech_overlaps():
    overlap_ms = sum(overlaps_ms("meetings/bridge-meeting.opus"))
    assert 500 <= overlap_ms <= 100 * claimed_s("meetings/bridge-meeting.opus")
    assert not overlaps_ms("memoirs/winter-memoir.m4a")


def test_one_recording_is_silent_for_long():
    ordered = sorted(turns("interviews/long-pause.opus"))
    assert max(after[0] - before[1] for before, after in itertools.pairwise(ordered)) >= 20_000


def test_one_recording_begins_with_music():
    first_s = min(turns("radio/village-hour.mp3"))[0] / 1000
    assert first_s >= 10
    with av.open(str(ARCHIVE / "radio/village-hour.mp3")) as radio:
        peaks = [abs(frame.to_ndarray()).max() for frame in radio.decode(audio=0) if 3 < frame.time < first_s - 3]
    assert min(peaks) > 0.01


def test_the_broken_file_breaks():
    assert not (TRUTH / f"{file_id(BROKEN)}.rttm").exists()
    try:
        ends_s = decoded_s(BROKEN)
    except av.error.FFmpegError:
        return
    assert ends_s < 0.6 * claimed_s(BROKEN)


def test_manifest_names_every_recording_and_hints_a_little():
    rows = read_csv(ARCHIVE / "manifest.csv")
    assert list(rows[0]) == HINTS
    assert sorted(row["source"] for row in rows) == SOURCES
    assert sum(bool(row["speakers"]) for row in rows) == 1
    assert {row["channel_mode"] for row in rows} <= {"", "mix", "split", "auto"}
