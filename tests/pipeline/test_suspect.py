"""Suspect text in a lake: flagged with its reason, and left out by SQL."""

import pytest

from storage.records import Segment, Transcript, Word
from tasks.engines.fake import FakeTranscriber
from tests.lakes import fake_spec, query, run_whole, write_wav
from tests.tones import spoken, tone_clip

HEARD = ["the", "tide", "was", "out", "and", "the", "boats", "lay", "on", "the", "sand"]
MADE_UP = ["Thanks", "for", "watching!"]
LOOP = ["and", "so"] * 6


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """A lake whose recogniser writes what is said, then loops, then goes on in the silence at the end."""

    def transcribe(self, clips, contexts):
        starts = [500 + 300 * i for i in range(len(HEARD))] + [6_000 + 250 * i for i in range(len(LOOP))]
        starts += [14_000 + 300 * i for i in range(len(MADE_UP))]
        texts = [*HEARD, *LOOP, *MADE_UP]
        words = tuple(
            Word(start_ms=at, end_ms=at + 200, text=text, segment_index=0)
            for at, text in zip(starts, texts, strict=True)
        )
        return [Transcript(words=words, segments=(Segment(start_ms=0, end_ms=16_000),)) for _ in clips]

    monkeypatch.setattr(FakeTranscriber, "transcribe", transcribe)
    sounds = [*spoken(500, 300, 12), *spoken(6_000, 300, 12)]
    write_wav(tmp_path / "archive" / "talk.wav", tone_clip(16_000, sounds))
    run_whole(fake_spec(tmp_path / "archive", tmp_path / "lake"))
    return tmp_path / "lake"


def test_each_kind_is_flagged_and_nothing_is_dropped(lake):
    assert query(lake, "SELECT text, flags FROM transcripts ORDER BY start_ms") == [
        (" ".join(HEARD), []),
        (" ".join(LOOP), ["loop"]),
        (" ".join(MADE_UP), ["invented", "no_speech"]),
    ]
    assert query(lake, "SELECT count(*) FROM words") == [(len(HEARD) + len(LOOP) + len(MADE_UP),)]


def test_a_query_leaves_them_out(lake):
    kept = query(lake, "SELECT text FROM transcripts WHERE NOT list_contains(flags, 'loop') ORDER BY start_ms")
    assert kept == [(" ".join(HEARD),), (" ".join(MADE_UP),)]


def test_speech_on_one_channel_is_none_for_words_on_another(tmp_path, monkeypatch):
    honest = FakeTranscriber.transcribe

    def transcribe(self, clips, contexts):
        """Write a word more, late in each clip, where only the right channel speaks."""
        found = honest(self, clips, contexts)
        late = Word(start_ms=15_000, end_ms=15_400, text="late", segment_index=0)
        return [Transcript(words=(*one.words, late), segments=one.segments) for one in found]

    monkeypatch.setattr(FakeTranscriber, "transcribe", transcribe)
    left = tone_clip(20_000, [*spoken(500, 300, 12), *spoken(9_000, 300, 3)])
    right = tone_clip(20_000, [*spoken(4_500, 900, 12), *spoken(15_000, 900, 1)])
    write_wav(tmp_path / "archive" / "call.wav", left, right)
    run_whole(fake_spec(tmp_path / "archive", tmp_path / "lake"))
    sql = "SELECT DISTINCT channel, 'no_speech' IN flags FROM transcripts WHERE text LIKE '%late' ORDER BY 1"
    assert query(tmp_path / "lake", sql) == [(0, True), (1, False)]
