import pytest

from storage.errors import AbsurdAudio, EmptyAudio, UnreadableAudio
from storage.records import SourceObject
from tasks.audio.headers import MAX_DURATION_MS, _check, _date, _stated_bytes, _text, read_header
from tasks.audio.media import audio_stream, open_media, open_source
from tasks.audio.probe import _at_a_glance, probe
from tests.media import noise, write_media


def header_of(path):
    return probe(str(path.parent), SourceObject(source=path.name, size_bytes=path.stat().st_size, mark=""))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".m4a", ".opus", ".webm", ".aiff", ".mov"])
def test_a_header_says_what_the_recording_is(tmp_path, suffix):
    header = header_of(write_media(tmp_path / f"a{suffix}", noise(3.0, 48_000, 2), 48_000))
    assert header.duration_ms == pytest.approx(3000, abs=60)
    assert (header.sample_rate_hz, header.n_channels) == (48_000, 2)
    assert header.codec in {"pcm_s16le", "pcm_s16be", "flac", "mp3", "aac", "opus"}
    assert header.container in {"wav", "flac", "mp3", "mov", "ogg", "matroska", "aiff"}


def test_without_a_stated_duration_there_is_an_estimate(tmp_path):
    header = header_of(write_media(tmp_path / "a.aac", noise(5.0, 48_000), 48_000))
    assert header.duration_ms == pytest.approx(5000, rel=0.2)


def test_title_and_date(tmp_path):
    metadata = {"title": "A  call\n\x07 of\u200b May", "date": "1998-05-31"}
    header = header_of(write_media(tmp_path / "a.flac", noise(0.5), metadata=metadata))
    assert header.title == "A  call of May"
    assert header.recorded_at == "1998-05-31"


def test_only_the_header_is_read(tmp_path):
    from tasks.audio.media import open_media

    path = write_media(tmp_path / "a.flac", noise(60.0))
    with open_source(str(tmp_path), path.name) as reader, open_media(reader, path.name):
        assert reader.fetched_bytes <= 2 * 262_144 < path.stat().st_size


def test_what_cannot_be_heard_says_so_already_when_probed(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(EmptyAudio):
        header_of(tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes(b"no audio at all" * 100)
    with pytest.raises(UnreadableAudio, match="play it"):
        header_of(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "claim",
    [
        {"sample_rate_hz": 0},
        {"sample_rate_hz": 999},
        {"sample_rate_hz": 768_001},
        {"n_channels": 0},
        {"n_channels": 65},
        {"duration_ms": MAX_DURATION_MS + 1},
    ],
)
def test_absurd_claims_are_refused_and_name_the_claim(tmp_path, claim):
    from dataclasses import replace

    header = header_of(write_media(tmp_path / "a.wav", noise(0.5)))
    _check(header, "a.wav")
    with pytest.raises(AbsurdAudio, match=r"^a\.wav: claims to"):
        _check(replace(header, **claim), "a.wav")


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("1998", "1998"),
        ("1998-05", "1998-05"),
        ("2003-05-02T10:11:12.000000Z", "2003-05-02T10:11:12.000000Z"),
        ("1904-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("last May", None),
        ("1998-05-31; DROP TABLE", None),
        ("", None),
    ],
)
def test_only_dates_are_dates(value, date):
    assert _date({"date": value}) == date


def test_texts_are_short_and_printable():
    assert _text("x" * 10_000) == "x" * 500
    assert _text("\x00\x1b") is None
    assert _text(None) is None


@pytest.mark.parametrize(
    ("head", "stated"),
    [
        (b"RIFF\x64\0\0\0WAVE", 108),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"RIFF\xff\xff\xff\xffWAVE", None),
        (b"RIFF\x24\xf0\xff\x7fWAVE", None),
        (b"RIFX\0\0\0\x64WAVE", None),
        (b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0\0\0\0\0\1\0\0\0", (1 << 32) + 8),
    ],
)
def test_the_size_that_a_riff_header_states(head, stated):
    assert _stated_bytes(head) == stated


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".m4a", ".opus", ".webm", ".aiff", ".mov", ".aac"])
def test_a_glance_says_what_a_long_look_says(tmp_path, suffix):
    path = write_media(tmp_path / f"a{suffix}", noise(20.0, 48_000, 2), 48_000)
    with open_source(str(tmp_path), path.name) as reader, open_media(reader, path.name) as media:
        assert header_of(path) == read_header(media, audio_stream(media))


def test_a_glance_is_short(tmp_path):
    path = write_media(tmp_path / "a.wav", noise(60.0, 48_000, 2), 48_000)
    with open_source(str(tmp_path), path.name, remote_block_bytes=1 << 14) as reader:
        assert _at_a_glance(reader, path.name).duration_ms == 60_000
        assert reader.fetched_bytes <= 1 << 18
