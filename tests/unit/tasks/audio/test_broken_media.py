"""Files that chance or a stranger broke: refused or read in part, never a crash, a hang or a full memory."""

import json
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import av
import pytest

from benchmarks.broken_media import broken_files, whole_files
from benchmarks.caged import BAD, Caged, read_caged
from storage.errors import AbsurdAudio, TruncatedAudio
from tasks.audio import allocation, decode, headers
from tasks.audio.decode import open_recording
from tests.media import noise, write_media

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")


def atom(name, *parts):
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content


def movie(*inside):
    return atom(b"ftyp", b"qt  \0\0\0\0qt  ") + atom(b"moov", *inside) + atom(b"mdat", b"\1" * 200)


def with_packed_header(n_bytes):
    """Return a movie of which the header, of so many zeros, is compressed."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(n_bytes >> 20)) + packer.flush()
    return movie(atom(b"cmov", atom(b"dcom", b"zlib"), atom(b"cmvd", struct.pack(">I", n_bytes), packed)))


def track_of(n_samples, duration_ms):
    """Return a track that claims so many packets of one byte each."""
    entry = atom(b".mp3", struct.pack(">IHHHHIHHHHI", 0, 0, 1, 0, 0, 0, 1, 16, 0, 0, 16_000 << 16))
    table = atom(
        b"stbl",
        atom(b"stsd", struct.pack(">II", 0, 1), entry),
        atom(b"stts", struct.pack(">IIII", 0, 1, n_samples, 160)),
        atom(b"stsc", struct.pack(">IIIII", 0, 1, 1, n_samples, 1)),
        atom(b"stsz", struct.pack(">III", 0, 1, n_samples)),
        atom(b"stco", struct.pack(">III", 0, 1, 44)),
    )
    own = atom(b"dinf", atom(b"dref", struct.pack(">II", 0, 1), atom(b"url ", b"\0\0\0\1")))
    media = atom(
        b"mdia",
        atom(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 1_000, duration_ms, 0, 0)),
        atom(b"hdlr", b"\0" * 4 + b"mhlrsoun" + b"\0" * 13),
        atom(b"minf", atom(b"smhd", b"\0" * 8), own, table),
    )
    return atom(b"trak", atom(b"tkhd", struct.pack(">IIIIII", 7, 0, 0, 1, 0, duration_ms) + b"\0" * 60), media)


def with_a_hole(path, hole_s, codec="libopus"):
    """Write a tenth of a second of sound, a hole in the timestamps, and the same again."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        position = 0
        for number in range(10):
            frame = av.AudioFrame.from_ndarray((noise(0.02, 48_000)[:, :960] * 9_000).astype("<i2"), "s16", "mono")
            frame.sample_rate, frame.pts = 48_000, position
            container.mux(stream.encode(frame))
            position += 960 + (hole_s * 48_000 if number == 4 else 0)
        container.mux(stream.encode(None))
    return path


_ALONE = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from benchmarks.caged import read_caged
from tasks.audio import allocation
allocation.MAX_OPENING_BYTES = int(sys.argv[2])
print(json.dumps(asdict(read_caged(Path(sys.argv[1])))))
"""


def read_alone(path, opening_bytes=allocation.MAX_OPENING_BYTES):
    """Read in a process that has run no other test: the limit is none for what a process has mapped before."""
    command = [sys.executable, "-c", _ALONE, str(path), str(opening_bytes)]
    answer = subprocess.run(command, cwd=Path(__file__).parents[4], check=True, capture_output=True, text=True)
    return Caged(**json.loads(answer.stdout))


def test_broken_files_break_nothing(tmp_path):
    files = whole_files(tmp_path / "whole", seconds=1.0)
    found = {}
    for broken in broken_files(files, 63, seed=7):
        path = tmp_path / broken.name
        path.write_bytes(broken.content)
        found[f"{broken.name}, {broken.change}"] = read_caged(path)
    assert {name: caged for name, caged in found.items() if caged.outcome in BAD} == {}
    assert {caged.outcome for caged in found.values()} == {"whole", "partial", "refused"}
    assert all(caged.reason for caged in found.values() if caged.outcome != "whole")


def test_the_same_seed_breaks_files_alike():
    files = {"a.wav": bytes(range(256)) * 8, "b.mp3": b"ID3 " * 300}
    once, again = (list(broken_files(files, 60, seed=3)) for _ in range(2))
    assert once == again
    assert sum(broken.content not in files.values() for broken in once) > 50


def test_a_reader_that_crashes_hangs_or_takes_too_much_is_told_apart(tmp_path, monkeypatch):
    path = write_media(tmp_path / "a.wav", noise(0.5))
    monkeypatch.setattr("benchmarks.caged.WALL_S", 0.5)

    def outcome_of(code):
        monkeypatch.setattr("benchmarks.caged.probe", lambda *_: exec(code))
        return read_caged(path).outcome

    assert outcome_of("import ctypes; ctypes.string_at(0)") == "crash"
    assert outcome_of("import time; time.sleep(60)") == "hang"
    assert outcome_of("while True: pass") == "hang"
    assert outcome_of("bytearray(1 << 31)") == "over memory"
    assert outcome_of("1 / 0") == "broken promise"
    assert outcome_of("pass") == "whole"


def test_libav_is_told_to_take_little_at_once():
    assert allocation.limit_pieces()


@pytest.mark.parametrize(
    "content",
    [with_packed_header(1 << 30), movie(track_of(80_000_000, 1_000))],
    ids=["packed header", "table of samples"],
)
def test_a_small_file_that_claims_gigabytes_is_refused_before_they_are_taken(tmp_path, content):
    (tmp_path / "a.mov").write_bytes(content)
    caged = read_alone(tmp_path / "a.mov")
    assert caged.outcome == "refused", caged
    assert caged.resident_mib < 1 << 8


@pytest.mark.parametrize("n_tracks", [4, 12])
def test_many_claims_together_stay_below_the_limit(tmp_path, n_tracks):
    (tmp_path / "a.mov").write_bytes(movie(*[track_of(3_000_000, 1_000)] * n_tracks))
    caged = read_alone(tmp_path / "a.mov", opening_bytes=1 << 27)
    assert caged.outcome == "refused", caged
    assert caged.resident_mib < 1 << 8


def test_a_limit_of_memory_ends_with_the_opening():
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    with allocation.limited_memory(), allocation.limited_memory():
        assert resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
        with pytest.raises(MemoryError):
            bytearray(2 * allocation.MAX_OPENING_BYTES)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.parametrize("suffix", [".webm", ".mka"])
def test_a_pause_of_hours_is_believed_and_one_of_days_is_not(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(decode, "_MAX_SILENCE_S", 600.0)
    with open_recording(str(tmp_path), with_a_hole(tmp_path / f"pause{suffix}", 599).name) as recording:
        assert sum(block.shape[1] for block in recording.blocks()) == pytest.approx(599.2 * 16_000, abs=2_000)
        assert recording.problem is None
    with open_recording(str(tmp_path), with_a_hole(tmp_path / f"claim{suffix}", 601).name) as recording:
        assert sum(block.shape[1] for block in recording.blocks()) == pytest.approx(0.2 * 16_000, abs=2_000)
        assert isinstance(recording.problem, TruncatedAudio)


def test_a_month_of_silence_in_a_kilobyte_takes_no_time(tmp_path):
    path = with_a_hole(tmp_path / "a.webm", 30 * 24 * 3600)
    caged = read_caged(path)
    assert path.stat().st_size < 3_000
    assert (caged.outcome, caged.audio_ms < 1_000) == ("partial", True)


def test_sound_that_goes_on_beyond_any_recording_is_absurd(tmp_path, monkeypatch):
    write_media(tmp_path / "a.aac", noise(6.0))
    monkeypatch.setattr(headers, "MAX_DURATION_MS", 2_000)
    monkeypatch.setattr(headers, "_duration_ms", lambda *_: None)
    with (
        open_recording(str(tmp_path), "a.aac") as recording,
        pytest.raises(AbsurdAudio, match=re.escape("claims to last 0 hours")),
    ):
        list(recording.blocks())
