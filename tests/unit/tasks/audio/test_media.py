import av.logging
import numpy as np
import pytest

from storage.errors import EmptyAudio, NoAudioTrack, RecordingError, UnreadableAudio, UnsafeMedia
from storage.records import SourceObject
from tasks.audio.decode import open_recording
from tasks.audio.media import FORMATS
from tasks.audio.probe import probe
from tests.hostile import (
    SEGMENTS,
    documents,
    listening,
    matroska,
    matroska_that_links_elsewhere,
    quicktime_that_points_elsewhere,
)
from tests.media import noise, sine, write_media

SUFFIXES = [".wav", ".mp4", ".m3u8"]


@pytest.fixture
def visitors():
    with listening() as address_and_calls:
        yield address_and_calls


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", documents(""))
def test_what_refers_to_others_is_not_followed(tmp_path, visitors, kind, suffix):
    url, calls = visitors
    secret = write_media(tmp_path / "outside/secret.wav", noise(1.0))
    for target in (f"{url}/x.ts", f"file://{secret}", str(secret), "../outside/secret.wav"):
        path = tmp_path / f"archive/{kind}{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(documents(target)[kind] + "\n" * 50)
        error = refusal(path)
        if kind != "address" or "://" in target:
            assert isinstance(error, UnsafeMedia), error
            assert "nothing was followed" in str(error)
    assert calls == []


def refusal(path):
    archive, size = str(path.parent), path.stat().st_size
    with pytest.raises(RecordingError) as probed:
        probe(archive, SourceObject(source=path.name, size_bytes=size, mark=""))
    with pytest.raises(RecordingError), open_recording(archive, path.name) as recording:
        list(recording.blocks())
    return probed.value


@pytest.mark.parametrize(
    "content",
    [
        "1\n00:00:01,000 --> 00:00:02,000\nfile:///etc/passwd\n",
        "WEBVTT\n\n00:01.000 --> 00:02.000\nhttp://127.0.0.1/\n",
        "[Script Info]\n[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,{\\img(/etc/passwd)}\n",
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_subtitles_are_no_audio(tmp_path, content, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text(content * 20)
    error = refusal(path)
    assert isinstance(error, UnreadableAudio)
    assert "subtitle file" in str(error)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("way", ["url", "alis"])
def test_a_movie_with_its_sound_in_another_file_is_not_followed(tmp_path, visitors, suffix, way):
    url, calls = visitors
    secret = write_media(tmp_path / "secret.wav", sine(2.0, 440))
    path = tmp_path / f"a{suffix}"
    for target in (f"{url}/a.wav", f"file://{secret}", str(secret), "secret.wav"):
        path.write_bytes(quicktime_that_points_elsewhere(target, way))
        with open_recording(str(tmp_path), path.name) as recording:
            if way == "alis":
                with pytest.raises(EmptyAudio, match="reference movie"):
                    list(recording.blocks())
            else:  # libav does not know this way, and takes the movie's own bytes for sound
                assert sum(block.shape[1] for block in recording.blocks()) < 1_000
    assert calls == []


@pytest.mark.parametrize("target", ["http", "next.mkv", "../outside/next.mkv"])
def test_a_matroska_file_that_goes_on_in_another_ends_where_it_ends(tmp_path, visitors, target):
    url, calls = visitors
    for folder in ("archive", "outside"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "next.mkv").write_bytes(matroska(np.full(48_000, 9_000), uid=SEGMENTS[1]))
    linked = matroska_that_links_elsewhere(np.full(24_000, 3_000), f"{url}/a.mkv" if target == "http" else target)
    (tmp_path / "archive/a.mkv").write_bytes(linked)
    with open_recording(str(tmp_path / "archive"), "a.mkv") as recording:
        samples = np.concatenate(list(recording.blocks()), axis=1)
    assert samples.shape == (1, 24_000)
    assert np.allclose(samples, 3_000 / 32_768, atol=1e-3)
    assert calls == []


@pytest.mark.parametrize("name", ["hls", "concat", "dash", "sdp", "rtsp", "image2", "lavfi", "srt", "ass", "tee"])
def test_formats_that_open_others_are_not_allowed(name):
    assert name not in FORMATS.split(",")


def test_every_allowed_format_is_known_to_libav():
    known = {part for name in av.formats_available for part in name.split(",")}
    assert set(FORMATS.split(",")) <= known


def test_a_picture_is_no_recording(tmp_path):
    (tmp_path / "a.wav").write_bytes(
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0\0\0\1\0\0\0\1\x08\2\0\0\0" + b"\0" * 500
    )
    assert isinstance(refusal(tmp_path / "a.wav"), (UnreadableAudio, NoAudioTrack))


def test_libav_is_silent(tmp_path, capfd, caplog):
    (tmp_path / "a.wav").write_bytes(b"RIFF\0\0\0\0WAVEjunk" + b"\1" * 1000)
    error = refusal(tmp_path / "a.wav")
    captured = capfd.readouterr()
    assert (captured.out, captured.err, caplog.text) == ("", "", "")
    assert "(" in str(error)


def test_a_log_level_that_somebody_set_stays(tmp_path):
    before = av.logging.get_level()
    try:
        av.logging.set_level(av.logging.FATAL)
        write_media(tmp_path / "a.wav", noise(0.1))
        probe(str(tmp_path), SourceObject(source="a.wav", size_bytes=1, mark=""))
        assert av.logging.get_level() == av.logging.FATAL
    finally:
        av.logging.set_level(before)


def test_nothing_is_empty(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    assert isinstance(refusal(tmp_path / "a.wav"), EmptyAudio)
