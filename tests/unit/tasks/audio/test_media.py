import socket
import struct
import threading

import av.logging
import pytest

from storage.errors import EmptyAudio, NoAudioTrack, RecordingError, UnreadableAudio, UnsafeMedia
from storage.records import SourceObject
from tasks.audio.decode import open_recording
from tasks.audio.media import FORMATS
from tasks.audio.probe import probe
from tests.media import noise, sine, write_media

XML = '<?xml version="1.0"?>\n'
SUFFIXES = [".wav", ".mp4", ".m3u8"]


@pytest.fixture
def visitors():
    """The address of a server on this machine, and who has called on it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls = []
        server.settimeout(0.02)
        stop = threading.Event()

        def listen():
            while not stop.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                calls.append(address)
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", calls
        stop.set()
        thread.join()


def documents(target):
    """Text files that some player would follow to ``target``."""
    return {
        "hls": f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
        "hls with a key": f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n',
        "m3u": f"#EXTM3U\n#EXTINF:123,Somebody\n{target}\n",
        "concat": f"ffconcat version 1.0\nfile '{target}'\nduration 10\n",
        "concat without its first line": f"file '{target}'\n",
        "dash": f'{XML}<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{target}</BaseURL></MPD>\n',
        "sdp": f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nu={target}\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n",
        "pls": f"[playlist]\nFile1={target}\nNumberOfEntries=1\n",
        "asx": f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>\n',
        "xspf": f"{XML}<playlist><trackList><track><location>{target}</location></track></trackList></playlist>",
        "smil": f'<smil><body><audio src="{target}"/></body></smil>',
        "quicktime reference": f"RTSPtext\n{target}\n",
        "asf reference": f"[Reference]\nRef1={target}\n",
        "address": f"{target}\n",
        "data address": "data:audio/wav;base64,UklGRiQAAABXQVZFZm10IBAAAAABAAEA\n",
    }


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


def atom(name, *parts):
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content


def quicktime_that_points_elsewhere(target, way):
    """Return a movie whose only track has its samples in another file, said in one of QuickTime's ways."""
    url = atom(b"url ", b"\0\0\0\0", target.encode() + b"\0")
    alias = struct.pack(">IHH", 0, 0, 2) + b"\0" * 142 + struct.pack(">HH", 2, len(target)) + target.encode()
    alias += b"\0" * (len(target) % 2) + struct.pack(">HH", 0xFFFF, 0)
    elsewhere = {"url": url, "alis": atom(b"alis", b"\0\0\0\0", alias)}[way]
    references = atom(b"dref", struct.pack(">II", 0, 1), elsewhere)
    sound = struct.pack(">IHHHHIHHHHI", 0, 0, 1, 0, 0, 0, 1, 16, 0, 0, 16_000 << 16)
    entry = atom(b"sowt", sound)
    table = atom(
        b"stbl",
        atom(b"stsd", struct.pack(">II", 0, 1), entry),
        atom(b"stts", struct.pack(">IIII", 0, 1, 16_000, 1)),
        atom(b"stsc", struct.pack(">IIIII", 0, 1, 1, 16_000, 1)),
        atom(b"stsz", struct.pack(">III", 0, 2, 16_000)),
        atom(b"stco", struct.pack(">III", 0, 1, 44)),
    )
    media = atom(
        b"mdia",
        atom(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 16_000, 16_000, 0, 0)),
        atom(b"hdlr", b"\0" * 4 + b"mhlrsoun" + b"\0" * 13),
        atom(b"minf", atom(b"smhd", b"\0" * 8), atom(b"dinf", references), table),
    )
    track = atom(b"trak", atom(b"tkhd", struct.pack(">IIIIII", 7, 0, 0, 1, 0, 1000) + b"\0" * 60), media)
    movie = atom(b"moov", atom(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, 1000) + b"\0" * 80), track)
    return atom(b"ftyp", b"qt  \0\0\0\0qt  ") + movie + atom(b"mdat", b"\1\2" * 100)


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
