import os

import fsspec
import pytest

from storage.errors import ConfigError, UnreachableAudio, UnsafeMedia
from storage.records import SourceObject
from tasks.planning.archive import locate_source
from tasks.planning.discover import discover, is_media

ODD_NAMES = ["a b.wav", "größe.flac", "100%25.mp3", "what?.wav", "#1.opus", "two\nlines.ogg", "日本.m4a", "c::d.wav"]


def touch(folder, *names, content=b"x"):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def sources(listing):
    return [found.source for found in listing.objects]


def test_a_folder_is_listed_whole_and_in_order(tmp_path):
    touch(tmp_path, "b.wav", "a.FLAC", "sub/deep/c.mp3", "sub/a.wav", "film.mkv")
    listing = discover(str(tmp_path))
    assert sources(listing) == ["a.FLAC", "b.wav", "film.mkv", "sub/a.wav", "sub/deep/c.mp3"]
    assert (listing.n_ignored, listing.problems) == (0, [])


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}"])
def test_odd_names_are_names(tmp_path, form):
    touch(tmp_path, *ODD_NAMES, *(f"in # %20 ?/{name}" for name in ODD_NAMES))
    listing = discover(form.format(tmp_path))
    assert sources(listing) == sorted([*ODD_NAMES, *(f"in # %20 ?/{name}" for name in ODD_NAMES)])
    for source in sources(listing):
        fs, path = locate_source(str(tmp_path), source)
        assert fs.cat_file(path) == b"x"


def test_size_and_mark_change_with_the_file(tmp_path):
    touch(tmp_path, "a.wav", content=b"12345")
    before = discover(str(tmp_path)).objects
    assert discover(str(tmp_path)).objects == before
    assert before[0].size_bytes == 5
    os.utime(tmp_path / "a.wav", ns=(1, 1_000_000_001))
    assert discover(str(tmp_path)).objects == [SourceObject(source="a.wav", size_bytes=5, mark="1000000001")]


def test_what_is_no_recording_is_counted_and_hidden_files_are_not(tmp_path):
    touch(tmp_path, "a.wav", "notes.txt", "a.srt", ".hidden.wav", ".git/b.wav", "sub/.DS_Store")
    listing = discover(str(tmp_path))
    assert sources(listing) == ["a.wav"]
    assert listing.n_ignored == 2


def test_a_folder_named_like_a_recording_is_a_folder(tmp_path):
    touch(tmp_path, "x.wav/inside.wav")
    assert sources(discover(str(tmp_path))) == ["x.wav/inside.wav"]


def test_a_single_recording_is_an_archive(tmp_path):
    touch(tmp_path, "only.wav")
    archive = str(tmp_path / "only.wav")
    listing = discover(archive)
    assert sources(listing) == ["only.wav"]
    assert locate_source(archive, "only.wav").path == archive


def test_links_that_leave_the_archive_are_reported(tmp_path):
    touch(tmp_path, "outside/secret.wav", "archive/a.wav", "archive/sub/b.wav")
    archive = tmp_path / "archive"
    (archive / "out.wav").symlink_to(tmp_path / "outside/secret.wav")
    (archive / "outdir").symlink_to(tmp_path / "outside")
    (archive / "in.wav").symlink_to("a.wav")
    (archive / "loop").symlink_to(".")
    (archive / "broken.wav").symlink_to("nothing.wav")
    (archive / "itself").symlink_to("itself")
    (archive / "one.wav").symlink_to("other.wav")
    (archive / "other.wav").symlink_to("one.wav")
    listing = discover(str(archive))
    assert sources(listing) == ["a.wav", "in.wav", "sub/b.wav"]
    assert [(type(problem), problem.subject) for problem in listing.problems] == [
        (UnreachableAudio, "broken.wav"),
        (UnreachableAudio, "itself"),
        (UnreachableAudio, "one.wav"),
        (UnreachableAudio, "other.wav"),
        (UnsafeMedia, "out.wav"),
        (UnsafeMedia, "outdir"),
    ]


def test_an_archive_reached_through_a_link_is_an_archive(tmp_path):
    touch(tmp_path, "real/a.wav")
    (tmp_path / "real/b.wav").symlink_to("a.wav")
    (tmp_path / "link").symlink_to("real")
    assert sources(discover(str(tmp_path / "link"))) == ["a.wav", "b.wav"]


def test_a_pipe_is_no_recording(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    listing = discover(str(tmp_path))
    assert listing.objects == []
    assert isinstance(listing.problems[0], UnsafeMedia)


def test_a_name_that_is_no_text_is_reported(tmp_path):
    touch(tmp_path, os.fsdecode(b"\xff.wav"))
    listing = discover(str(tmp_path))
    assert listing.objects == []
    assert "UTF-8" in str(listing.problems[0])
    str(listing.problems[0]).encode()


def test_a_folder_that_cannot_be_listed_is_reported_and_the_rest_goes_on(tmp_path, monkeypatch):
    touch(tmp_path, "a.wav", "locked/b.wav")
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    listing = discover(str(tmp_path))
    assert sources(listing) == ["a.wav"]
    assert [str(problem) for problem in listing.problems] == [
        "locked/: the folder cannot be listed (Permission denied); allow reading it"
    ]


@pytest.mark.parametrize(
    "archive", ["/does/not/exist", "file:///does/not/exist", "memory://nowhere", "nonsense://a", "/does/not/a.wav"]
)
def test_no_archive_is_a_wrong_setting(archive):
    with pytest.raises(ConfigError):
        discover(archive)


def test_an_empty_folder_is_an_empty_archive(tmp_path):
    assert discover(str(tmp_path)).objects == []


def test_any_filesystem_will_do():
    memory = fsspec.filesystem("memory")
    for name in ["a.wav", "sub/b c#?%20.mp3", ".hidden/c.wav", "notes.txt", "x.wav/d.wav"]:
        memory.pipe(f"/discovered/{name}", b"123")
    try:
        listing = discover("memory://discovered/")
        assert sources(listing) == ["a.wav", "sub/b c#?%20.mp3", "x.wav/d.wav"]
        assert listing.n_ignored == 1
        assert all(found.size_bytes == 3 and found.mark for found in listing.objects)
        assert sources(discover("memory://discovered/a.wav")) == ["a.wav"]
    finally:
        memory.rm("/discovered", recursive=True)


def test_suffixes_are_compared_without_case():
    assert is_media("A.WAV")
    assert not is_media("a.wav.TXT")


def test_what_is_not_known_to_be_something_else_may_be_a_recording():
    assert is_media("box 7/tape")
    assert is_media("tape.empty")
    assert is_media("tape.mp3_old")
    assert not is_media("box 7/README")
    assert not is_media("manifest.csv")


def test_ten_thousand_files_are_listed(tmp_path):
    for folder in range(20):
        (tmp_path / f"{folder}").mkdir()
        for number in range(500):
            os.close(os.open(tmp_path / f"{folder}/{number}.wav", os.O_CREAT))
    assert len(discover(str(tmp_path)).objects) == 10_000
