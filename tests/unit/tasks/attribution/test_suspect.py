"""Suspect text is flagged with its reason, and nothing else about an utterance changes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Utterance
from tasks.attribution.columns import WordTexts, WordTimes
from tasks.attribution.invented import CREDITS, PHRASES, is_known_invention
from tasks.attribution.suspect import NEAR_SPEECH_MS, flag_suspects, speech_under
from tasks.attribution.utterances import Utterances


def word_times(words):
    return WordTimes(
        start_ms=np.array([start for start, _, _ in words], np.int64),
        end_ms=np.array([end for _, end, _ in words], np.int64),
        channel=np.zeros(len(words), np.int16),
        ends_sentence=np.zeros(len(words), np.bool_),
    )


def utterance(text, **known):
    fields = {
        "start_ms": 0,
        "end_ms": 1,
        "local_speaker": None,
        "first_word": 0,
        "n_words": 1,
        "speaker_confidence": None,
        "speaker_uncertain": True,
        "is_overlapped": False,
        "language": None,
        "confidence": None,
        "no_speech_confidence": None,
        "flags": (),
    }
    return Utterance(text=text, **{**fields, **known})


def flags_of(words, speech=((0, 3_600_000),), **known):
    """Return the flags of one utterance of those words, given as start, end and text."""
    row = utterance(" ".join(text for _, _, text in words), **known)
    texts = WordTexts(
        text=[text for _, _, text in words],
        confidence=np.zeros(len(words), np.float32),
        segment=np.full(len(words), -1, np.int64),
    )
    heard = {0: np.array(speech, np.int64).reshape(-1, 2)}
    rows = Utterances(rows=[row], of_word=np.zeros(len(words), np.int64))
    (flagged,) = flag_suspects(rows, word_times(words), texts, heard).rows
    assert replace(flagged, flags=row.flags) == row
    assert list(flagged.flags) == sorted(set(flagged.flags))
    return flagged.flags


def said(text, start_ms=0, word_ms=300):
    return [(start_ms + i * word_ms, start_ms + (i + 1) * word_ms, word) for i, word in enumerate(text.split())]


def test_what_is_said_in_speech_is_not_suspect():
    assert flags_of(said("Thank you for watching the house while we were away.")) == ()
    assert flags_of(said("Thank you.")) == ()


def test_words_mostly_outside_speech_have_no_speech():
    words = said("one two three four", start_ms=10_000)
    assert flags_of(words, speech=[(0, 5_000)]) == ("no_speech",)
    assert flags_of(words, speech=[(0, 10_400)]) == ()
    assert flags_of(words, speech=[(0, 10_300)]) == ("no_speech",)
    assert flags_of(words, speech=[]) == ("no_speech",)


def test_a_word_beside_speech_is_in_it():
    assert flags_of(said("yes", start_ms=10_000, word_ms=200), speech=[(0, 10_000)]) == ()


def test_a_phrase_that_is_often_invented_is_flagged_where_nobody_speaks():
    assert flags_of(said("Thanks for watching!"), speech=[]) == ("invented", "no_speech")
    assert flags_of(said("Thanks for watching!"), no_speech_confidence=0.9) == ("invented",)
    assert flags_of(said("Thanks for watching!"), no_speech_confidence=0.5) == ()
    assert flags_of(said("The tide was out."), speech=[]) == ("no_speech",)


def test_a_loop_is_flagged_where_it_is_most_of_what_is_said():
    loop = "thank you " * 6
    assert flags_of(said(loop)) == ("loop",)
    other = "but then the old man went down to the harbour with a lantern"
    assert flags_of(said(f"{loop} {other}")) == ()


def test_a_long_text_that_compresses_is_a_loop_though_no_word_says_so():
    assert flags_of([(0, 9_000, "ha" * 60)]) == ("loop",)


def test_a_word_longer_than_anybody_says_it_is_stretched():
    assert flags_of([(0, 3_000, "yes")]) == ()
    assert flags_of([(0, 3_001, "yes"), (3_100, 3_300, "indeed")]) == ("stretched",)
    assert flags_of([(0, 4_000, "Donaudampfschifffahrt")]) == ()


def test_what_the_engine_said_stays():
    assert flags_of(said("one two", start_ms=10_000), speech=[], flags=("repetition",)) == ("no_speech", "repetition")


def test_a_recording_without_words_has_nothing_suspect():
    empty = Utterances(rows=[], of_word=np.empty(0, np.int64))
    texts = WordTexts(text=[], confidence=np.empty(0, np.float32), segment=np.empty(0, np.int64))
    assert flag_suspects(empty, word_times([]), texts, {}) is empty


SPANS = st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 700)).map(lambda p: (p[0], p[0] + p[1])), max_size=6)


@given(SPANS, SPANS)
def test_speech_under_words_is_what_a_count_of_milliseconds_finds(words, speech):
    near = np.zeros(6_000, bool)
    for start, end in speech:
        near[max(start - NEAR_SPEECH_MS, 0) : end + NEAR_SPEECH_MS] = True
    spans = {0: np.array(speech, np.int64).reshape(-1, 2)}
    told = speech_under(word_times([(start, end, "") for start, end in words]), spans)
    assert told.tolist() == [int(near[start : max(end, start + 1)].sum()) for start, end in words]


@pytest.mark.parametrize("language", PHRASES)
def test_every_phrase_is_known_whatever_its_marks(language):
    for phrase in PHRASES[language]:
        assert is_known_invention(f"  {phrase.capitalize()}! ")
        assert is_known_invention(f"{phrase}. {phrase}.")


@pytest.mark.parametrize("credit", CREDITS)
def test_credits_are_known_and_end_somewhere(credit):
    assert is_known_invention(f"{credit} Somebody, 2017")
    assert not is_known_invention(f"{credit} {'much more was said after that ' * 4}")


@pytest.mark.parametrize(
    "text", ["", "...", "so you thank the bye", "Okay.", "You", "Sobald er kam", "Thank you for the letter."]
)
def test_other_text_is_not_known(text):
    assert not is_known_invention(text)
