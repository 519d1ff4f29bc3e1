"""References read, and matched to recordings."""

import json

import pytest

from storage.errors import ConfigError
from storage.formats.document import DocumentTurn, DocumentUtterance
from storage.records import Span
from tasks.evaluation.matching import Names, match
from tasks.evaluation.references import read_references, read_regions, whole_reference

RTTM = "SPEAKER {} 1 0.500 2.000 <NA> <NA> ann <NA> <NA>\n"
STM = "{} 1 ann 0.5 2.5 hello there\n"
CTM = "{0} 1 0.5 0.2 hello\n{0} 1 1.0 0.2 there\n"
SEGLST = [{"session_id": "{}", "speaker": "ann", "start_time": 0.5, "end_time": 2.5, "words": "hello there"}]


def write(folder, **texts):
    for name, text in texts.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder)


def only_reference(folder):
    return whole_reference(read_references(folder).parts)


# ---- reading


def test_turns_come_from_rttm_and_words_from_stm(tmp_path):
    folder = write(tmp_path, talk_dot_rttm=RTTM.format("talk"), talk_dot_stm=STM.format("talk"), a_dot_md="#")
    reference = only_reference(folder)
    assert reference.turns == (DocumentTurn(start_ms=500, end_ms=2500, speaker="ann"),)
    assert [one.text for one in reference.utterances] == ["hello there"]
    assert reference.has_speakers
    assert reference.end_ms == 2500
    assert read_references(folder).ignored == ("a.md",)


@pytest.mark.parametrize(("name", "text"), [("t_dot_stm", STM.format("t")), ("t_dot_json", json.dumps(SEGLST))])
def test_utterances_stand_in_for_turns(tmp_path, name, text):
    reference = only_reference(write(tmp_path, **{name: text}))
    assert reference.turns == (DocumentTurn(start_ms=500, end_ms=2500, speaker="ann"),)


def test_a_ctm_has_words_with_times_and_no_speakers(tmp_path):
    reference = only_reference(write(tmp_path, t_dot_ctm=CTM.format("t")))
    assert reference.turns is None
    assert not reference.has_speakers
    assert reference.utterances == (
        DocumentUtterance(start_ms=500, end_ms=700, text="hello"),
        DocumentUtterance(start_ms=1000, end_ms=1200, text="there"),
    )


def test_who_has_no_name_is_somebody_else_in_each_recording(tmp_path):
    nameless = RTTM.replace("ann", "<NA>")
    write(tmp_path, all_dot_rttm=nameless.format("one") + nameless.format("two"))
    one, two = (whole_reference([part]).turns for part in read_references(str(tmp_path)).parts)
    assert one[0].speaker != two[0].speaker


def test_a_file_may_be_given_itself_and_hold_many_recordings(tmp_path):
    write(tmp_path, all_dot_rttm=RTTM.format("one") + RTTM.format("two"))
    parts = read_references(str(tmp_path / "all.rttm")).parts
    assert [part.names for part in parts] == [("one",), ("two",)]


def test_an_empty_file_says_that_nobody_talks(tmp_path):
    folder = write(tmp_path, calls__quiet_dot_rttm="", calls__quiet_dot_stm="")
    parts = read_references(folder).parts
    assert {part.names for part in parts} == {("calls/quiet",)}
    assert whole_reference(parts).turns == whole_reference(parts).utterances == ()


def test_two_files_about_one_recording_are_refused(tmp_path):
    folder = write(tmp_path, a__t_dot_rttm=RTTM.format("t"), b__t_dot_rttm=RTTM.format("t"))
    with pytest.raises(ConfigError, match=r"b/t\.rttm: is about the recording of a/t\.rttm"):
        only_reference(folder)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("t_dot_rttm", "SPEAKER t 1 zero\n", r"t\.rttm: RTTM line 1"),
        ("t_dot_stm", "t 1 ann 5 3 hello\n", r"t\.stm: STM line 1"),
        ("t_dot_json", '{"words": 1}', r"t\.json: SegLST"),
        ("t_dot_md", "# nothing", "there are none"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, name, text, told):
    with pytest.raises(ConfigError, match=told):
        read_references(write(tmp_path, **{name: text}))


def test_what_is_not_text_or_not_there_is_said(tmp_path):
    (tmp_path / "t.stm").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_references(str(tmp_path))
    with pytest.raises(ConfigError, match="there is nothing"):
        read_references(str(tmp_path / "gone"))


def test_a_uem_file_says_what_is_scored(tmp_path):
    write(tmp_path, some_dot_uem="; all\none 1 0 10\none 1 20.5 30\ntwo 1 5 6\n", bad_dot_uem="one 1 0\n")
    assert read_regions(str(tmp_path / "some.uem")) == {
        "one": (Span(start_ms=0, end_ms=10_000), Span(start_ms=20_500, end_ms=30_000)),
        "two": (Span(start_ms=5_000, end_ms=6_000),),
    }
    with pytest.raises(ConfigError, match="UEM line 1"):
        read_regions(str(tmp_path / "bad.uem"))
    with pytest.raises(ConfigError, match="is a folder"):
        read_regions(str(tmp_path))


# ---- matching

SOURCES = [("id1", "calls/ferry.mix.wav"), ("id1", "copies/same.wav"), ("id2", "talks/ferry.wav"), ("id3", "jam")]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("calls/ferry.mix.wav", ("id1",)),
        ("calls/ferry.mix", ("id1",)),
        ("calls_ferry.mix", ("id1",)),
        ("calls_ferry.mix.wav", ("id1",)),
        ("ferry.mix", ("id1",)),
        ("ferry.mix.wav", ("id1",)),
        ("same", ("id1",)),
        ("id2", ("id2",)),
        ("jam", ("id3",)),
        ("ferry", ("id2",)),
        ("nothing", ()),
    ],
)
def test_a_recording_may_be_called_in_many_ways(name, found):
    assert Names(SOURCES).find([name]) == found


def test_the_first_name_that_means_anything_counts():
    assert Names(SOURCES).find(["nothing", "jam", "same"]) == ("id3",)


def test_what_names_nothing_or_several_is_told(tmp_path):
    names = Names([("id1", "a/talk.wav"), ("id2", "b/talk.wav"), ("id3", "c/other.wav")])
    folder = write(
        tmp_path,
        **{f"{name}_dot_rttm": RTTM.format(name) for name in ("talk", "gone", "other")},
        other_dot_stm=STM.format("c/other"),
    )
    regions = {"other": (Span(start_ms=0, end_ms=5),), "away": (Span(start_ms=0, end_ms=5),)}
    known = match(names, read_references(folder).parts, regions)
    assert known.references.keys() == known.regions.keys() == {"id3"}
    assert known.references["id3"].utterances
    assert {(one.name, one.path, one.reason) for one in known.missing} == {
        ("gone", "gone.rttm", "no recording is called so"),
        ("talk", "talk.rttm", "2 recordings are called so"),
        ("away", "UEM", "no recording is called so"),
    }
