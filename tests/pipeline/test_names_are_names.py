"""Names, titles and folders are data: none becomes SQL, a pattern, or a way out of where things are written."""

import csv
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.people.lists import name_person
from tasks.reading.choose_recordings import writable
from tasks.reading.export import export_lake
from tests.lakes import conversation, fake_spec, query, run_whole, write_wav

SQL = "'; DROP TABLE words; --"
ODD = (
    SQL, '"; DROP VIEW main.words', "read_csv('/etc/passwd')", "{x}", "$1", "?", "%s", "a*[b]?c", "=1+1", "@SUM(1)",
    "line\nbreak", "tab\there", "ß İ ﬁ", "e\u0301", "👩‍👩‍👧", "\u202egnp.exe", "back\\slash", "C:con", " blank ",
    "x" * 240, "~", "-rf", "a;b", "NULL", "\ufeffbom",
)  # fmt: skip
DEEP = ("a/b..x/y", "deep/" * 20 + "z")
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    root = tmp_path_factory.mktemp("names")
    names = [f"{name}.wav" for name in (*ODD, *DEEP)]
    for number, name in enumerate(names):
        write_wav(root / "archive" / name, conversation(300, n_words=3)[160 * number :])
    with (root / "hints.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "title", "collection"])
        writer.writerows([name, name, name] for name in names if name == name.strip())
    run_whole(fake_spec(root / "archive", root / "lake", manifest=str(root / "hints.csv")))
    return root, set(names)


def test_names_titles_and_collections_come_through_unchanged(odd):
    root, names = odd
    found = query(root / "lake", "SELECT source, title, collection FROM recordings WHERE status = 'done'")
    assert {source for source, _, _ in found} == names
    assert all(title == collection == source for source, title, collection in found if source == source.strip())
    assert query(root / "lake", "SELECT count(DISTINCT source) FROM words") == [(len(names),)]


@pytest.mark.parametrize("form", ["srt", "json"])
def test_exports_stay_in_their_folder(odd, tmp_path, form):
    root, names = odd
    (tmp_path / "beside").mkdir()
    report = export_lake(str(root / "lake"), str(tmp_path / "out"), form)
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert report.n_recordings == len(written) == len(names)
    assert all(path.resolve().is_relative_to(tmp_path / "out") for path in written)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beside", "out"]


@given(path=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), min_size=1).map("/".join))
def test_any_path_can_be_written(path):
    parts = writable(path).split("/")
    assert len(parts) == path.count("/") + 1
    assert all("\0" not in part and len(part.encode()) <= 200 for part in parts)


def test_long_names_stay_apart():
    one, other = "a" * 300 + "1", "a" * 300 + "2"
    assert writable(one) != writable(other)
    assert writable("a" * 200) == "a" * 200


def test_names_that_differ_by_case_alone_do_not_share_a_file(tmp_path):
    for number, name in enumerate(("A.wav", "a.wav", "e\u0301.wav", "\u00e9.wav", "b.wav")):
        write_wav(tmp_path / "archive" / name, conversation(300, n_words=3)[160 * number :])
    run_whole(fake_spec(tmp_path / "archive", tmp_path / "lake"))
    export_lake(str(tmp_path / "lake"), str(tmp_path / "out"), "txt")
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(written) == len({name.lower() for name in written}) == 5
    assert "b.wav.txt" in written


@settings(max_examples=6)
@given(name=texts.filter(lambda text: text.strip(" .") and len(text.encode()) < 200))
def test_a_lake_may_be_in_a_folder_of_any_name(small, tmp_path_factory, name):
    lake = tmp_path_factory.mktemp("lake") / f"x{name}"
    shutil.copytree(small, lake)
    assert query(lake, "SELECT count(*) > 0, count(DISTINCT source) FROM words") == [(True, 1)]


@settings(max_examples=6)
@given(name=(texts | st.sampled_from([SQL, "Robert'); --", '"', "$$"])).filter(lambda text: text.strip()))
def test_a_speaker_may_have_any_name(small, name):
    ((speaker_id,),) = query(small, "SELECT speaker_id FROM speakers LIMIT 1")
    name_person(str(small), speaker_id, name)
    ((found,),) = query(small, f"SELECT name FROM speakers WHERE speaker_id = '{speaker_id}'")
    assert found == " ".join(name.split()) or found == name.strip() or found == name
    assert query(small, "SELECT count(*) > 0 FROM words") == [(True,)]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = tmp_path_factory.mktemp("small")
    write_wav(root / "archive/a.wav", conversation(300, 900, n_words=12))
    run_whole(fake_spec(root / "archive", root / "lake"))
    return root / "lake"


def test_a_formula_in_a_manifest_is_text(odd):
    root, _ = odd
    assert query(root / "lake", "SELECT title FROM recordings WHERE source = '=1+1.wav'") == [("=1+1.wav",)]
