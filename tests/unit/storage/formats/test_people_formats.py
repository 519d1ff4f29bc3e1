"""SRT, VTT, TXT and TextGrid: readable, valid whatever is said, and parsed back to what they keep."""

import html
import io
import re
import unicodedata
from collections import Counter
from dataclasses import replace
from itertools import pairwise, zip_longest

import pytest
import textgrid as praat
import webvtt
from hypothesis import assume, given

from storage.formats import FORMATS, srt, textgrid, txt, vtt
from storage.formats.caption_text import width
from storage.formats.document import Document, DocumentUtterance, DocumentWord, MalformedText
from storage.formats.plain import clock, label, parse_clock, parse_label
from tests.strategies import documents, names

MAX_COLUMNS = 42
MIN_MS, MAX_MS, MS_PER_COLUMN = 800, 7_000, 50


def letters(text: str) -> str:
    """Everything but white space and control characters."""
    return "".join(c for c in text if not c.isspace() and unicodedata.category(c) != "Cc")


def said(document: Document) -> list[str]:
    """Every word that captions show, in no order: those with times, or else the text."""
    return sorted(
        character
        for utterance in document.utterances
        for text in ([word.text for word in utterance.words if letters(word.text)] or [utterance.text])
        for character in letters(text)
    )


def shown(text: str) -> list[str]:
    return sorted(letters(text))


def one_line(text: str) -> str:
    return " ".join(part for part in (letters(word) for word in text.split()) if part)


def kept_speaker(utterance: DocumentUtterance) -> tuple[str | None, bool]:
    return parse_label(label(utterance.speaker, is_uncertain=utterance.is_uncertain))


def ms_of(timestamp: str) -> int:
    return parse_clock(timestamp)


@given(names)
def test_a_label_comes_back(name: str) -> None:
    certain = one_line(name)
    if certain and not certain.endswith("?") and certain != "unknown":
        assert parse_label(label(name, is_uncertain=False)) == (certain, False)
        assert parse_label(label(name, is_uncertain=True)) == (certain, True)


def test_labels() -> None:
    assert label("S1", is_uncertain=True) == "S1?"
    assert label(None, is_uncertain=True) == "unknown"
    assert parse_label("unknown") == (None, False)
    assert parse_label("?") == ("?", False)


@pytest.mark.parametrize("ms", [0, 999, 3_599_999, 360_000_001])
def test_clock(ms: int) -> None:
    assert parse_clock(clock(ms, ",")) == ms


@pytest.mark.parametrize("format_name", ["srt", "vtt"])
@given(document=documents())
def test_cues_are_disjoint_readable_and_complete(format_name: str, document: Document) -> None:
    parsed = FORMATS[format_name].parse(FORMATS[format_name].render(document)).utterances
    spans = sorted({(utterance.start_ms, utterance.end_ms) for utterance in parsed})
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert all(MIN_MS <= end - start <= MAX_MS for start, end in spans)
    text = "".join(utterance.text for utterance in parsed)
    expected = "".join(said(document))
    if format_name == "vtt":
        assert shown(text) == sorted(expected)
    else:
        assert shown(text.replace("→", "")) == shown_without_arrows(expected, text)


def shown_without_arrows(expected: str, text: str) -> list[str]:
    """SRT turns each ``-->`` into one arrow: take as many out of what was said."""
    remaining = sorted(expected)
    for arrow in range(text.count("→") - expected.count("→")):
        for character in "-->":
            remaining.remove(character)
        assert arrow >= 0
    return [character for character in remaining if character != "→"]


def read_by_webvtt(format_name: str, rendered: str) -> list[webvtt.Caption]:
    if "-->" not in rendered:
        return []
    if format_name == "vtt":
        return webvtt.from_string(rendered, strict=True).captions
    return webvtt.from_buffer(io.StringIO(rendered), format="srt").captions


def shown_by(caption: webvtt.Caption, format_name: str) -> str:
    """What a player shows; SRT has neither tags nor escapes."""
    return html.unescape(caption.text) if format_name == "vtt" else caption.raw_text


@pytest.mark.parametrize("format_name", ["srt", "vtt"])
@given(document=documents())
def test_another_reader_finds_the_limits_kept(format_name: str, document: Document) -> None:
    captions = read_by_webvtt(format_name, FORMATS[format_name].render(document))
    nexts = [ms_of(caption.start) for caption in captions][1:]
    for caption, next_ms in zip_longest(captions, nexts, fillvalue=document.duration_ms):
        start_ms, end_ms = ms_of(caption.start), ms_of(caption.end)
        lines = shown_by(caption, format_name).split("\n")
        assert 1 <= len(lines) <= 2
        assert all(width(line) <= MAX_COLUMNS or len(line.split()) == 1 for line in lines)
        to_read_ms = min(MAX_MS, MS_PER_COLUMN * sum(map(width, lines)))
        assert end_ms - start_ms >= to_read_ms or (next_ms is not None and end_ms >= next_ms)


@pytest.mark.parametrize("format_name", ["srt", "vtt"])
@given(document=documents())
def test_another_reader_finds_what_ours_finds(format_name: str, document: Document) -> None:
    rendered = FORMATS[format_name].render(document)
    captions = read_by_webvtt(format_name, rendered)
    ours = FORMATS[format_name].parse(rendered).utterances
    spans = [(ms_of(caption.start), ms_of(caption.end)) for caption in captions]
    assert spans == list(dict.fromkeys((u.start_ms, u.end_ms) for u in ours))
    said = letters("".join(shown_by(caption, format_name) for caption in captions))
    if format_name == "vtt":
        assert said == letters("".join(u.text for u in ours))
        names = [name for c in captions for name in webvtt.Caption.VOICE_SPAN_PATTERN.findall(c.raw_text)]
        known = [html.unescape(name) for name in names if name != "unknown"]
        assert known == [label(u.speaker, is_uncertain=u.is_uncertain) for u in ours if u.speaker is not None]
    else:
        assert Counter(letters("".join(u.text for u in ours))) <= Counter(said)


_ESCAPED = r"(?:[^<>&\r\n]|&(?:amp|lt|gt);)"
_VTT = re.compile(
    rf"""WEBVTT\n(?:
        \n(?:\d\d+:)?[0-5]\d:[0-5]\d\.\d{{3}}\ -->\ (?:\d\d+:)?[0-5]\d:[0-5]\d\.\d{{3}}\n
        (?:(?!.*-->)(?:<v\ {_ESCAPED}+>{_ESCAPED}+(?:\n{_ESCAPED}+)?</v>|{_ESCAPED}+)\n)+
    )*""",
    re.VERBOSE,
)
"""What of the grammar of https://www.w3.org/TR/webvtt1/#syntax we write: cues without settings, voice spans."""


@given(documents())
def test_vtt_obeys_the_grammar(document: Document) -> None:
    assert _VTT.fullmatch(vtt.render(document))


@pytest.mark.parametrize(
    ("name", "escaped"),
    [("Ann & <Bob>", "Ann &amp; &lt;Bob&gt;"), ("-->", "--&gt;"), ('"A"\n\nB', '"A" B'), ("שלום", "שלום")],
)
def test_a_voice_tag_holds_any_name(name: str, escaped: str) -> None:
    rendered = vtt.render(Document(utterances=(utterance(0, 1_000, name, "Yes."),)))
    assert f"\n<v {escaped}>Yes.</v>\n" in rendered
    assert _VTT.fullmatch(rendered)


@pytest.mark.parametrize("format_name", ["srt", "vtt"])
@given(document=documents())
def test_captions_name_who_speaks(format_name: str, document: Document) -> None:
    parsed = FORMATS[format_name].parse(FORMATS[format_name].render(document)).utterances
    speakers = {kept_speaker(u) for u in document.utterances if any(letters(item.text) for item in (*u.words, u))}
    if format_name == "srt":
        assume(all(width(speaker or "") <= MAX_COLUMNS - 2 for speaker, _ in speakers))
        speakers = {in_srt(*speaker) for speaker in speakers}
    assert {(u.speaker, u.is_uncertain) for u in parsed} == speakers


def in_srt(speaker: str | None, is_uncertain: bool) -> tuple[str | None, bool]:
    """What SRT cannot hold of a name: arrows, dashes in front, the ratio sign that stands for a colon."""
    name = (speaker or "unknown").replace("∶", ":").replace("-->", "→")
    return parse_label(f"{name.lstrip('- ') or name}{'?' * is_uncertain}")


def test_srt_shortens_long_names() -> None:
    document = Document(
        utterances=(utterance(0, 1_000, "Ann Lee of the " + "very " * 9 + "far", "Yes.", is_uncertain=True),)
    )
    assert srt.render(document).split("\n")[2:4] == ["Ann Lee of the very very very very very…?:", "Yes."]


@given(documents())
def test_txt_keeps_the_text(document: Document) -> None:
    utterances = [u for u in document.utterances if letters(u.text)]
    parsed = txt.parse(txt.render(document)).utterances
    assert [(u.start_ms, u.end_ms, u.text) for u in parsed] == [
        (u.start_ms // 1000 * 1000, u.start_ms // 1000 * 1000, one_line(u.text)) for u in utterances
    ]
    assert [(u.speaker, u.is_uncertain) for u in parsed] == [
        (speaker and speaker.replace("∶", ":"), is_uncertain) for speaker, is_uncertain in map(kept_speaker, utterances)
    ]


@given(documents())
def test_textgrid_keeps_the_text_by_speaker(document: Document) -> None:
    parsed = textgrid.parse(textgrid.render(document))
    assert parsed.duration_ms == max([1, document.end_ms, *(u.end_ms for u in parsed.utterances)])
    for speaker in {kept_speaker(u) for u in document.utterances}:
        mine = [u for u in parsed.utterances if (u.speaker, u.is_uncertain) == speaker]
        theirs = [u for u in document.utterances if kept_speaker(u) == speaker and letters(u.text)]
        assert all(before.end_ms <= after.start_ms for before, after in pairwise(mine))
        assert " ".join(u.text for u in mine) == " ".join(one_line(u.text) for u in theirs)


@given(documents())
def test_textgrid_is_exact_where_nobody_overlaps_himself(document: Document) -> None:
    alone, reached_ms = [], 0
    for number, utterance in enumerate(u for u in document.utterances if letters(u.text)):
        if utterance.start_ms >= reached_ms and utterance.end_ms > utterance.start_ms:
            speaker, is_uncertain = kept_speaker(replace(utterance, speaker=f"{number} {utterance.speaker}"))
            alone.append(
                DocumentUtterance(
                    start_ms=utterance.start_ms,
                    end_ms=utterance.end_ms,
                    speaker=speaker,
                    is_uncertain=is_uncertain,
                    text=one_line(utterance.text),
                )
            )
            reached_ms = utterance.end_ms
    expected = Document(duration_ms=max(1, reached_ms), utterances=tuple(alone))
    assert textgrid.parse(textgrid.render(expected)) == expected


@given(document=documents())
def test_praat_reader_reads_our_textgrid(tmp_path_factory, document: Document) -> None:
    path = tmp_path_factory.mktemp("grids") / "x.TextGrid"
    path.write_bytes(textgrid.render(document).encode())
    grid = praat.TextGrid.fromFile(str(path))
    ours = textgrid.parse(path.read_text(encoding="utf-8"))
    assert round(grid.maxTime * 1000) == ours.duration_ms
    read = []
    for tier in grid:
        intervals = list(tier)
        assert intervals[0].minTime == 0
        assert intervals[-1].maxTime == grid.maxTime
        assert all(before.maxTime == after.minTime for before, after in pairwise(intervals))
        read += [(round(i.minTime * 1000), round(i.maxTime * 1000), i.mark) for i in intervals if i.mark]
    assert sorted(read) == sorted((u.start_ms, u.end_ms, u.text) for u in ours.utterances)


def words(*timed: tuple[int, int, str]) -> tuple[DocumentWord, ...]:
    return tuple(DocumentWord(start_ms=start, end_ms=end, text=text) for start, end, text in timed)


def utterance(start_ms: int, end_ms: int, speaker: str | None, text: str, **more) -> DocumentUtterance:
    return DocumentUtterance(start_ms=start_ms, end_ms=end_ms, speaker=speaker, text=text, **more)


DOCUMENT = Document(
    name="call",
    duration_ms=20_000,
    utterances=(
        utterance(1_000, 6_000, "Ann <Lee>", 'We met on Tuesday, as you know, and then "nothing" happened for weeks.'),
        utterance(6_500, 6_700, "S1", "Yes & no.", is_uncertain=True),
        utterance(6_900, 7_100, "Ann <Lee>", "Why?"),
        utterance(12_000, 13_000, None, "Who is this?"),
    ),
)


@pytest.mark.parametrize(
    ("format_name", "expected"),
    [
        (
            "srt",
            """1
00:00:01,000 --> 00:00:06,000
Ann <Lee>: We met on Tuesday, as you know,
and then "nothing" happened for weeks.

2
00:00:06,500 --> 00:00:08,150
- S1?: Yes & no.
- Ann <Lee>: Why?

3
00:00:12,000 --> 00:00:13,050
unknown: Who is this?
""",
        ),
        (
            "vtt",
            """WEBVTT

00:00:01.000 --> 00:00:06.000
<v Ann &lt;Lee&gt;>We met on Tuesday, as you know,
and then "nothing" happened for weeks.</v>

00:00:06.500 --> 00:00:07.300
<v S1?>Yes &amp; no.</v>
<v Ann &lt;Lee&gt;>Why?</v>

00:00:12.000 --> 00:00:13.000
Who is this?
""",
        ),
        (
            "txt",
            """[00:00:01] Ann <Lee>: We met on Tuesday, as you know, and then "nothing" happened for weeks.
[00:00:06] S1?: Yes & no.
[00:00:06] Ann <Lee>: Why?
[00:00:12] unknown: Who is this?
""",
        ),
    ],
)
def test_golden(format_name: str, expected: str) -> None:
    assert FORMATS[format_name].render(DOCUMENT) == expected


def test_golden_textgrid() -> None:
    document = Document(duration_ms=3_000, utterances=(utterance(500, 1_250, 'the "boss" himself', "Good."),))
    assert (
        textgrid.render(document)
        == """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 3.000
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "the ""boss"" himself"
        xmin = 0
        xmax = 3.000
        intervals: size = 3
        intervals [1]:
            xmin = 0.000
            xmax = 0.500
            text = ""
        intervals [2]:
            xmin = 0.500
            xmax = 1.250
            text = "Good."
        intervals [3]:
            xmin = 1.250
            xmax = 3.000
            text = ""
"""
    )


def cues(*utterances: DocumentUtterance, duration_ms: int | None = None) -> list[tuple[int, int, str]]:
    document = Document(utterances=utterances, duration_ms=duration_ms)
    return [(u.start_ms, u.end_ms, u.text) for u in vtt.parse(vtt.render(document)).utterances]


def test_a_cue_starts_and_ends_with_its_words() -> None:
    timed = words((1_000, 2_000, "Before"), (2_000, 3_000, "the"), (3_000, 4_000, "pause."), (9_000, 10_000, "After."))
    assert cues(utterance(1_000, 10_000, "S1", "Before the pause. After.", words=timed)) == [
        (1_000, 4_000, "Before the pause."),
        (9_000, 10_000, "After."),
    ]


def test_a_fast_cue_stays_into_the_silence_but_not_beyond_the_recording() -> None:
    text = "x" * 40
    assert cues(utterance(0, 100, "S1", text)) == [(0, 2_000, text)]
    assert cues(utterance(0, 100, "S1", text), duration_ms=1_500) == [(0, 1_500, text)]


def test_the_earlier_of_two_voices_is_cut_short() -> None:
    long, answer = "I was going to say something longer, but", "No, let me finish this one first please."
    assert cues(utterance(0, 5_000, "S1", long), utterance(2_000, 6_000, "S2", answer)) == [
        (0, 2_000, long),
        (2_000, 6_000, answer),
    ]


def test_an_interjection_comes_where_it_was_said() -> None:
    timed = words((0, 1_000, "I"), (1_000, 2_000, "stayed."), (6_000, 7_000, "Then"), (7_000, 8_000, "left."))
    talk = utterance(0, 8_000, "S1", "I stayed. Then left.", words=timed)
    assert [text for _, _, text in cues(talk, utterance(4_000, 4_500, "S2", "Why?"))] == [
        "I stayed.",
        "Why?",
        "Then left.",
    ]


def test_voices_that_start_together_and_are_long_follow_each_other() -> None:
    long = "I was going to say something longer, but here"
    both = cues(utterance(0, 5_000, "S1", long), utterance(100, 5_000, "S2", long))
    assert [(start, end) for start, end, _ in both] == [(0, 800), (800, 5_000)]


def test_lines_break_after_a_phrase_and_evenly() -> None:
    text = "First we took the train, then we walked all the way up"
    document = Document(utterances=(utterance(0, 5_000, None, text),))
    assert srt.render(document).split("\n")[2:4] == ["First we took the train,", "then we walked all the way up"]


def test_languages_without_blanks_break_between_words() -> None:
    text = "これは日本語の長い文章で空白がありません" * 2
    timed = words(*((100 * n, 100 * n + 100, text[n]) for n in range(len(text))))
    document = Document(utterances=(utterance(0, 4_000, None, text, words=timed),))
    lines = vtt.render(document).strip().split("\n")[3:]
    assert "".join(lines) == text
    assert len(lines) == 2
    assert all(len(line) <= MAX_COLUMNS // 2 for line in lines)


def test_srt_names_the_speaker_only_where_it_changes() -> None:
    document = Document(
        utterances=(
            utterance(0, 1_000, "S1", "One."),
            utterance(2_000, 3_000, "S1", "Two."),
            utterance(4_000, 5_000, "S1", "Note: three."),
            utterance(6_000, 7_000, None, "Four."),
        )
    )
    texts = [block.split("\n", 2)[2].strip() for block in srt.render(document).split("\n\n")]
    assert texts == ["S1: One.", "Two.", "S1: Note: three.", "unknown: Four."]
    assert [(u.speaker, u.text) for u in srt.parse(srt.render(document)).utterances] == [
        ("S1", "One."),
        ("S1", "Two."),
        ("S1", "Note: three."),
        (None, "Four."),
    ]


def test_foreign_captions() -> None:
    assert srt.parse("\ufeff1\r\n00:00:01,000 --> 00:00:02,000\r\nHello\r\nthere\r\n\r\n").utterances == (
        utterance(1_000, 2_000, None, "Hello there"),
    )
    foreign = "WEBVTT - title\n\nNOTE x\n\nintro\n00:01.000 --> 00:02.000 align:start\n<v.loud Bob>Hi <b>you</b>\n"
    assert vtt.parse(foreign).utterances == (utterance(1_000, 2_000, "Bob", "Hi you"),)


@pytest.mark.parametrize(
    ("format_name", "text"),
    [
        ("srt", "1\nno times here\ntext"),
        ("srt", "1\n00:00:02,000 --> 00:00:01,000\ntext"),
        ("srt", "1\nsoon --> later\ntext"),
        ("vtt", "1\n00:00:01.000 --> 00:00:02.000\ntext"),
        ("vtt", "WEBVTT\n\nsoon --> later\ntext"),
        ("vtt", "WEBVTT\n\n-->\ntext"),
        ("txt", "[00:00] no label"),
        ("txt", "[0:x] S1: hm"),
        ("textgrid", "hello"),
        ("textgrid", 'File type = "ooTextFile"\nObject class = "TextGrid"\nxmin = 0\nxmax = soon\n'),
    ],
)
def test_malformed(format_name: str, text: str) -> None:
    with pytest.raises(MalformedText):
        FORMATS[format_name].parse(text)


@pytest.mark.parametrize(
    ("format_name", "shown"),
    [
        ("srt", "S1?: Yes."),
        ("vtt", "<v S1?>Yes.</v>"),
        ("txt", "S1?: Yes."),
        ("textgrid", 'name = "S1?"'),
        ("seglst", '"speaker": "S1", "words": "Yes.", "speaker_uncertain": true'),
        ("json", '"speaker": "S1",\n   "is_uncertain": true'),
        ("stm", " S1 0.000 1.000 Yes."),
    ],
)
def test_a_guess_is_shown_as_one(format_name: str, shown: str) -> None:
    """STM has nowhere to say it: scorers would take ``S1?`` for somebody else than ``S1``."""
    rendered = FORMATS[format_name].render(Document(utterances=(utterance(0, 1_000, "S1", "Yes.", is_uncertain=True),)))
    assert shown in rendered
