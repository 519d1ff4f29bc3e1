import hashlib
import os
import struct
from random import Random

import numpy as np
import pytest

from storage.errors import (
    AbsurdAudio,
    EmptyAudio,
    NoAudioTrack,
    TruncatedAudio,
    UnreachableAudio,
    UnreadableAudio,
)
from tasks.audio.decode import open_recording
from tests.media import CODECS, noise, sine, write_media


def read(path):
    with open_recording(str(path.parent), path.name) as recording:
        blocks = list(recording.blocks())
        return np.concatenate(blocks, axis=1), recording


def strongest_hz(clip, rate_hz=16_000):
    return np.abs(np.fft.rfft(clip)).argmax() * rate_hz / len(clip)


@pytest.mark.parametrize("suffix", sorted(CODECS))
def test_every_container_gives_its_tone_and_its_length(tmp_path, suffix):
    rate_hz = {".amr": 8000}.get(suffix, 48_000)
    path = write_media(tmp_path / f"tone{suffix}", sine(3.0, 440, rate_hz), rate_hz)
    samples, recording = read(path)
    assert samples.shape[0] == 1
    assert samples.dtype == np.float32
    assert abs(samples.shape[1] / 16_000 - 3.0) < 0.15
    assert strongest_hz(samples[0]) == pytest.approx(440, abs=2)
    assert 0.35 < np.abs(samples[0, 16_000:32_000]).max() < 0.65
    assert recording.problem is None


def test_blocks_are_short_and_together_whole(tmp_path):
    path = write_media(tmp_path / "a.wav", noise(7.5))
    with open_recording(str(tmp_path), "a.wav") as recording:
        lengths = [block.shape[1] for block in recording.blocks()]
    assert sum(lengths) == 7.5 * 16_000
    assert max(lengths) <= 2 * 16_000
    assert path.exists()


def test_16_khz_pcm_comes_through_unchanged(tmp_path):
    original = np.round(noise(1.0) * 32767).astype(np.float32) / 32768
    samples, _ = read(write_media(tmp_path / "a.wav", original * 32768 / 32767))
    np.testing.assert_allclose(samples, original, atol=1 / 32768)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 5, 6, 7, 8])
def test_up_to_eight_channels_stay_apart(tmp_path, n_channels):
    tones = np.concatenate([sine(1.0, 200 + 100 * channel, 44_100, 0.3) for channel in range(n_channels)])
    samples, recording = read(write_media(tmp_path / "a.wav", tones, 44_100))
    assert recording.header.n_channels == len(samples) == n_channels
    assert [round(strongest_hz(row) / 100) for row in samples] == [2 + channel for channel in range(n_channels)]


@pytest.mark.parametrize("n_channels", [9, 16, 64])
def test_more_than_eight_channels_are_mixed(tmp_path, n_channels):
    samples, recording = read(write_media(tmp_path / "a.wav", np.repeat(sine(1.0, 300, 16_000), n_channels, axis=0)))
    assert recording.header.n_channels == n_channels
    assert samples.shape == (1, 16_000)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 32_000, 44_100, 96_000, 192_000])
def test_every_rate_keeps_the_length(tmp_path, rate_hz):
    samples, _ = read(write_media(tmp_path / "a.wav", sine(1.7, 440, rate_hz), rate_hz))
    assert samples.shape[1] == pytest.approx(1.7 * 16_000, abs=2)
    assert strongest_hz(samples[0]) == pytest.approx(440, abs=1)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".m4a", ".ogg", ".webm", ".mov"])
def test_the_identity_is_the_hash_of_the_bytes_each_read_once(tmp_path, suffix):
    path = write_media(tmp_path / f"a{suffix}", noise(20.0, 48_000, 2), 48_000)
    with open_recording(str(tmp_path), path.name) as early:
        early_id = early.recording_id()
    with open_recording(str(tmp_path), path.name) as recording:
        for _ in recording.blocks():
            pass
        assert recording.recording_id() == hashlib.sha256(path.read_bytes()).hexdigest()[:32] == early_id
        assert recording._media.reader.fetched_bytes == path.stat().st_size


def test_video_gives_its_audio_track(tmp_path):
    samples, recording = read(write_media(tmp_path / "film.mp4", sine(2.0, 440), with_video=True))
    assert recording.header.codec == "aac"
    assert strongest_hz(samples[0]) == pytest.approx(440, abs=2)


def test_video_without_sound_has_no_audio_track(tmp_path):
    import av

    from tests.media import _video, _write_video

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        _write_video(container, _video(container), 1.0)
    with pytest.raises(NoAudioTrack, match="only video"), open_recording(str(tmp_path), "a.mp4"):
        pass


def test_sound_that_starts_after_the_picture_keeps_its_place(tmp_path):
    path = write_media(tmp_path / "late.mkv", sine(1.0, 440), with_video=True, start_s=2.0)
    samples, _ = read(path)
    assert samples.shape[1] == pytest.approx(3.0 * 16_000, abs=1600)
    assert np.abs(samples[0, : int(1.9 * 16_000)]).max() == 0
    assert np.abs(samples[0, int(2.1 * 16_000) :]).max() > 0.4


@pytest.mark.parametrize("name", ["nothing.wav", "nothing.mp3"])
def test_no_bytes_is_empty(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(EmptyAudio, match="no bytes"), open_recording(str(tmp_path), name):
        pass


def test_a_header_without_samples_is_empty(tmp_path):
    (tmp_path / "a.wav").write_bytes(_wav_bytes()[:44])
    with open_recording(str(tmp_path), "a.wav") as recording, pytest.raises(EmptyAudio, match="no sound"):
        list(recording.blocks())


@pytest.mark.parametrize(
    "content",
    [b"\0" * 5000, b"hello world " * 300, Random(0).randbytes(5000), b"RIFF", b"\xff" * 3000],
    ids=["zeros", "text", "noise", "four letters", "ones"],
)
def test_garbage_is_unreadable(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises((UnreadableAudio, EmptyAudio)) as caught, open_recording(str(tmp_path), "a.wav") as recording:
        list(recording.blocks())
    assert caught.value.subject == "a.wav"
    assert "Errno" not in str(caught.value)


def test_a_wrong_suffix_does_not_matter(tmp_path):
    path = write_media(tmp_path / "really.flac", sine(1.0, 440))
    samples, _ = read(path.rename(tmp_path / "claims.mp3"))
    assert strongest_hz(samples[0]) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".m4a", ".mp3", ".webm", ".mka"])
def test_a_recording_cut_short_keeps_what_was_read_and_says_so(tmp_path, suffix):
    options = {"movflags": "faststart"} if suffix == ".m4a" else {}
    path = write_media(tmp_path / f"a{suffix}", noise(20.0, 48_000), 48_000, options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    samples, recording = read(path)
    assert samples.shape[1] == pytest.approx(10 * 16_000, rel=0.2)
    assert isinstance(recording.problem, TruncatedAudio)
    assert "0:00:20" in recording.problem.problem


@pytest.mark.parametrize("suffix", [".mka", ".m4a", ".ogg", ".flac"])
def test_a_damaged_place_is_left_out_and_what_follows_keeps_its_place(tmp_path, suffix):
    sounds = np.concatenate([noise(10.0, 48_000, seed=1), sine(2.0, 1000, 48_000), noise(8.0, 48_000, seed=2)], axis=1)
    path = write_media(tmp_path / f"a{suffix}", sounds, 48_000)
    damage(path, at=0.3, share=0.03)
    samples, _ = read(path)
    assert samples.shape[1] == pytest.approx(20 * 16_000, abs=3200)
    assert strongest_hz(samples[0, int(10.2 * 16_000) : int(11.8 * 16_000)]) == pytest.approx(1000, abs=5)


@pytest.mark.parametrize("suffix", [".mka", ".m4a", ".mp3", ".flac"])
def test_damage_that_loses_sound_is_remembered(tmp_path, suffix):
    path = write_media(tmp_path / f"a{suffix}", noise(20.0, 48_000), 48_000)
    damage(path, at=0.3, share=0.2)
    samples, recording = read(path)
    assert samples.shape[1] > 10 * 16_000
    assert isinstance(recording.problem, TruncatedAudio)
    assert not recording.problem.problem.startswith("is no audio")


def damage(path, *, at, share):
    content = bytearray(path.read_bytes())
    start, n = int(len(content) * at), int(len(content) * share)
    content[start : start + n] = b"\0" * n
    path.write_bytes(content)


def test_one_bad_packet_at_the_beginning_is_no_problem(tmp_path):
    path = write_media(tmp_path / "a.mp3", sine(5.0, 440))
    path.write_bytes(b"\xff\xfb\x90\x64" + b"\x55" * 300 + path.read_bytes()[417:])
    samples, recording = read(path)
    assert samples.shape[1] > 4 * 16_000
    assert recording.problem is None


@pytest.mark.parametrize(("offset", "value"), [(24, 4_000_000_000), (24, 7), (22, 65_000)])
def test_an_absurd_header_is_refused(tmp_path, offset, value):
    content = bytearray(write_media(tmp_path / "a.wav", noise(1.0)).read_bytes())
    content[offset : offset + (2 if offset == 22 else 4)] = struct.pack("<H" if offset == 22 else "<I", value)
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises((AbsurdAudio, UnreadableAudio)), open_recording(str(tmp_path), "a.wav"):
        pass


def test_a_wav_that_was_written_to_a_pipe_is_read_to_its_end(tmp_path):
    path = write_media(tmp_path / "a.wav", noise(3.0))
    content = bytearray(path.read_bytes())
    content[4:8] = b"\xff\xff\xff\xff"
    at = content.index(b"data") + 4
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    samples, recording = read(path)
    assert samples.shape[1] == 3 * 16_000
    assert recording.problem is None


def test_what_is_gone_or_forbidden_may_be_tried_again(tmp_path, monkeypatch):
    with pytest.raises(UnreachableAudio, match="not there"), open_recording(str(tmp_path), "gone.wav"):
        pass
    path = write_media(tmp_path / "a.wav", noise(1.0))
    monkeypatch.setattr("builtins.open", _forbidden)
    with pytest.raises(UnreachableAudio, match="permission"), open_recording(str(tmp_path), path.name):
        pass


def _forbidden(*args, **kwargs):
    raise PermissionError(13, "Permission denied")


def test_a_file_that_shrinks_while_it_is_read_is_unreachable(tmp_path):
    path = write_media(tmp_path / "a.wav", noise(60.0))
    with open_recording(str(tmp_path), "a.wav") as recording:
        blocks = recording.blocks()
        next(blocks)
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(UnreachableAudio, match="shorter"):
            list(blocks)


def test_the_errors_of_whoever_uses_a_recording_stay_theirs(tmp_path):
    write_media(tmp_path / "a.wav", noise(1.0))
    with pytest.raises(OSError, match="disk full"), open_recording(str(tmp_path), "a.wav"):
        raise OSError("disk full")


def test_any_filesystem_will_do():
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/audio test/in/a#1 %20?.wav", _wav_bytes())
    try:
        with open_recording("memory://audio test", "in/a#1 %20?.wav") as recording:
            assert sum(block.shape[1] for block in recording.blocks()) == 16_000
            assert recording.recording_id() == hashlib.sha256(_wav_bytes()).hexdigest()[:32]
    finally:
        memory.rm("/audio test", recursive=True)


def _wav_bytes():
    import io
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\1\2" * 16_000)
    return buffer.getvalue()
