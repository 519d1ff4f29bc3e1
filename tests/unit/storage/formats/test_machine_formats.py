"""RTTM, CTM, STM, SegLST and JSON: what they keep comes back, and MeetEval reads the same from them."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given

from storage.formats import FORMATS, ctm, json_document, rttm, seglst, stm
from storage.formats.document import Document, DocumentTurn, DocumentUtterance, DocumentWord, MalformedText
from storage.formats.fields import escape, escape_name, unescape
from tests.strategies import documents, names

meeteval_io = pytest.importorskip("meeteval.io")


def clean(text: str) -> str:
    """Blank-separated words without control characters, written independently of the code under test."""
    without = "".join(" " if c.isspace() else c for c in text if c.isspace() or not (c < " " or "\x7f" <= c < "\xa0"))
    return " ".join(without.split())


def rounded(confidence: float | None) -> float | None:
    return None if confidence is None else float(f"{confidence:.4f}")


def known(speaker: str | None) -> str | None:
    return None if speaker == "<NA>" else speaker


def by_channel(item):
    return (item.channel, item.start_ms, item.end_ms)


def name_if(document: Document, *, kept) -> str:
    return (known(document.name) or "") if kept else ""


def milliseconds(seconds) -> int:
    ms = seconds * 1000
    assert ms == int(ms)
    return int(ms)


@given(names)
def test_an_escaped_name_is_one_field_and_comes_back(name: str) -> None:
    assert escape(name).split() == [escape(name)]
    assert unescape(escape(name)) == name


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("S1", "S1"),
        ("Ann Lee", "Ann%20Lee"),
        ("100%", "100%"),
        ("%20", "%2520"),
        (";x", "%3Bx"),
        ("\ufeffx", "%EF%BB%BFx"),
        ("a\u00a0b", "a%C2%A0b"),
    ],
)
def test_escaping(name: str, field: str) -> None:
    assert escape(name) == field


@given(documents())
def test_json_keeps_everything(document: Document) -> None:
    assert json_document.parse(json_document.render(document)) == document


@given(documents())
def test_rttm_keeps_the_turns(document: Document) -> None:
    turns = [
        replace(turn, speaker=known(turn.speaker), confidence=rounded(turn.confidence))
        for turn in sorted(document.turns, key=by_channel)
    ]
    assert rttm.parse(rttm.render(document)) == Document(name=name_if(document, kept=turns), turns=tuple(turns))


@given(documents())
def test_meeteval_reads_our_rttm(document: Document) -> None:
    lines = meeteval_io.RTTM.parse(rttm.render(document)).lines
    read = [
        (
            int(line.channel) - 1,
            milliseconds(line.begin_time),
            milliseconds(line.begin_time + line.duration),
            line.speaker_id,
        )
        for line in lines
    ]
    assert read == [(*by_channel(turn), escape_name(turn.speaker)) for turn in sorted(document.turns, key=by_channel)]
    assert {line.filename for line in lines} <= {escape_name(document.name)}


@given(documents())
def test_ctm_keeps_the_words(document: Document) -> None:
    words = [
        replace(word, text=word.text.strip(), confidence=rounded(word.confidence), speaker=None)
        for utterance in document.utterances
        for word in utterance.words
        if word.text.strip()
    ]
    words.sort(key=lambda word: (word.channel, word.start_ms))
    parsed = ctm.parse(ctm.render(document))
    assert [word for utterance in parsed.utterances for word in utterance.words] == words
    assert parsed.name == name_if(document, kept=words)
    assert len({utterance.channel for utterance in parsed.utterances}) == len(parsed.utterances)


@given(documents())
def test_meeteval_reads_our_ctm(document: Document) -> None:
    lines = meeteval_io.CTM.parse(ctm.render(document)).lines
    words = [word for utterance in document.utterances for word in utterance.words if word.text.strip()]
    words.sort(key=lambda word: (word.channel, word.start_ms))
    assert [
        (int(line.channel), milliseconds(line.begin_time), milliseconds(line.duration), line.word) for line in lines
    ] == [(word.channel + 1, word.start_ms, word.end_ms - word.start_ms, escape(word.text.strip())) for word in words]


@given(documents())
def test_stm_keeps_the_utterances(document: Document) -> None:
    utterances = [
        DocumentUtterance(
            start_ms=utterance.start_ms,
            end_ms=utterance.end_ms,
            speaker=known(utterance.speaker),
            text=clean(utterance.text),
        )
        for utterance in sorted(document.utterances, key=lambda utterance: (utterance.channel, utterance.start_ms))
    ]
    assert stm.parse(stm.render(document)) == Document(
        name=name_if(document, kept=utterances), utterances=tuple(utterances)
    )


@given(documents())
def test_meeteval_reads_our_stm(document: Document) -> None:
    lines = meeteval_io.STM.parse(stm.render(document)).lines
    utterances = sorted(document.utterances, key=lambda utterance: (utterance.channel, utterance.start_ms))
    assert [
        (line.speaker_id, milliseconds(line.begin_time), milliseconds(line.end_time), line.transcript) for line in lines
    ] == [
        (escape_name(utterance.speaker), utterance.start_ms, utterance.end_ms, clean(utterance.text))
        for utterance in utterances
    ]


@given(documents())
def test_seglst_keeps_the_utterances(document: Document) -> None:
    utterances = tuple(
        replace(utterance, speaker=known(utterance.speaker), text=clean(utterance.text), flags=(), words=())
        for utterance in document.utterances
    )
    assert seglst.parse(seglst.render(document)) == Document(
        name=name_if(document, kept=utterances), utterances=utterances
    )


@given(documents())
def test_meeteval_reads_our_seglst(document: Document) -> None:
    # its own file reader needs simplejson for the same Decimal numbers
    segments = meeteval_io.SegLST(json.loads(seglst.render(document), parse_float=Decimal)).segments
    assert [
        (s["session_id"], s["speaker"], milliseconds(s["start_time"]), milliseconds(s["end_time"]), s["words"])
        for s in segments
    ] == [
        (escape_name(document.name), escape_name(u.speaker), u.start_ms, u.end_ms, clean(u.text))
        for u in document.utterances
    ]


DOCUMENT = Document(
    name="board meeting",
    recording_id="c0ffee",
    duration_ms=5_000,
    utterances=(
        DocumentUtterance(
            start_ms=1,
            end_ms=2_050,
            speaker="Ann Lee",
            is_uncertain=True,
            text="good morning",
            words=(
                DocumentWord(start_ms=1, end_ms=900, text="good", confidence=0.5),
                DocumentWord(start_ms=900, end_ms=2_050, text="morning"),
            ),
        ),
        DocumentUtterance(start_ms=2_100, end_ms=3_000, text="100% sure", is_overlapped=True, confidence=0.25),
    ),
    turns=(
        DocumentTurn(start_ms=0, end_ms=2_100, speaker="Ann Lee", confidence=0.98765),
        DocumentTurn(start_ms=61_001, end_ms=61_002, speaker="S1", channel=1),
    ),
)


@pytest.mark.parametrize(
    ("format_name", "expected"),
    [
        (
            "rttm",
            (
                "SPEAKER board%20meeting 1 0.000 2.100 <NA> <NA> Ann%20Lee 0.9877 <NA>\n"
                "SPEAKER board%20meeting 2 61.001 0.001 <NA> <NA> S1 <NA> <NA>\n"
            ),
        ),
        ("ctm", "board%20meeting 1 0.001 0.899 good 0.5000\nboard%20meeting 1 0.900 1.150 morning\n"),
        (
            "stm",
            "board%20meeting 1 Ann%20Lee 0.001 2.050 good morning\nboard%20meeting 1 <NA> 2.100 3.000 100% sure\n",
        ),
        (
            "seglst",
            (
                '[\n{"session_id": "board%20meeting", "start_time": 0.001, "end_time": 2.05, "speaker": "Ann%20Lee", '
                '"words": "good morning", "speaker_uncertain": true},\n'
                '{"session_id": "board%20meeting", "start_time": 2.1, "end_time": 3.0, "speaker": "<NA>", '
                '"words": "100% sure", "confidence": 0.25, "is_overlapped": true}\n]\n'
            ),
        ),
    ],
)
def test_golden(format_name: str, expected: str) -> None:
    assert FORMATS[format_name].render(DOCUMENT) == expected


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (rttm, "SPEAKER a 1 0.0 1.0 <NA> <NA> s <NA> <NA>\nSPEAKER b 1 0.0 1.0 <NA> <NA> s <NA> <NA>\n"),
        (ctm, "a 1 0 1 x\nb 1 0 1 x\n"),
        (stm, "a 1 s 0 1 x\nb 1 s 0 1 x\n"),
        (
            seglst,
            (
                '[{"session_id": "a", "start_time": "0", "end_time": "1.5", "speaker": "s", "words": "x"},'
                '{"session_id": "b", "start_time": 0, "end_time": 1, "speaker": "s", "words": "x"}]'
            ),
        ),
    ],
)
def test_a_file_about_several_recordings(module, text: str) -> None:
    assert [document.name for document in module.parse_all(text)] == ["a", "b"]
    with pytest.raises(MalformedText, match="2 recordings"):
        module.parse(text)


def test_foreign_files() -> None:
    assert rttm.parse("; c\nSPKR-INFO a 1 <NA> <NA> <NA> unknown s <NA> <NA>\n") == Document()
    nine_fields = rttm.parse("SPEAKER a 1 0.5 1.0004 <NA> <NA> s <NA>\r\n")
    assert nine_fields == Document(name="a", turns=(DocumentTurn(start_ms=500, end_ms=1500, speaker="s"),))
    assert ctm.parse(";; c\na B .5 1 x\n").utterances[0].words[0].channel == 1
    assert stm.parse("a 0 s 0 1\n").utterances[0].text == ""


@pytest.mark.parametrize(
    ("format_name", "text"),
    [
        ("rttm", "SPEAKER a 1 0.0 -1.0 <NA> <NA> s <NA> <NA>"),
        ("rttm", "SPEAKER a 1 nan 1.0 <NA> <NA> s <NA> <NA>"),
        ("rttm", "SPEAKER a 1 inf 1.0 <NA> <NA> s <NA> <NA>"),
        ("rttm", "SPEAKER a 1 0.0"),
        ("ctm", "a 1 x 1 word"),
        ("ctm", "a 1"),
        ("stm", "a 1 s 2 1 words"),
        ("seglst", '{"session_id": "a"}'),
        ("seglst", "["),
        ("seglst", '[{"session_id": "a"}]'),
        ("json", "[]"),
        ("json", "{"),
        ("json", '{"version": 99}'),
        ("json", '{"version": 1, "utterances": []}'),
        ("json", '{"version": 1, "utterances": [], "turns": [], "surprise": 1}'),
    ],
)
def test_malformed(format_name: str, text: str) -> None:
    with pytest.raises(MalformedText):
        FORMATS[format_name].parse(text)
