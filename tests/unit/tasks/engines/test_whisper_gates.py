"""Which of Whisper's results are suspect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Span, Word
from tasks.engines.whisper_gates import (
    Heard,
    compression,
    doubts,
    is_repetitive,
    is_silence,
    longest_wordless_ms,
    preference,
)
from tasks.engines.whisper_options import WhisperOptions

SENTENCE = "the old captain painted the letter behind the garden while we watched"
OPTIONS = WhisperOptions()


def heard(text, *, each_ms=300, logprob=-0.2, no_speech=0.0):
    texts = text.split()
    words = tuple(
        Word(start_ms=i * each_ms, end_ms=(i + 1) * each_ms, text=word, confidence=0.9) for i, word in enumerate(texts)
    )
    return Heard(words=words, text=text, logprob=logprob, no_speech=no_speech)


def speech(result):
    return (Span(start_ms=0, end_ms=max((word.end_ms for word in result.words), default=3000)),)


def doubted(result, spans=None):
    return doubts(result, spans or speech(result), OPTIONS)


def test_a_plain_sentence_is_believed():
    assert doubted(heard(SENTENCE)) == ()


def test_speech_without_words_is_suspect():
    assert doubted(heard("")) == ("no_words",)


def test_a_loop_is_suspect_by_compression_and_by_repetition():
    assert doubted(heard("thank you for watching " * 12)) == ("compression", "repetition")


def test_unlikely_text_is_suspect():
    assert doubted(heard(SENTENCE, logprob=-1.01)) == ("low_confidence",)
    assert doubted(heard(SENTENCE, logprob=-0.99)) == ()


def test_unlikely_text_where_nobody_seems_to_speak_is_suspect_twice():
    assert doubted(heard(SENTENCE, logprob=-1.2, no_speech=0.8)) == ("low_confidence", "no_speech")
    assert doubted(heard(SENTENCE, logprob=-0.2, no_speech=0.8)) == ()


def test_more_characters_than_anybody_says_are_suspect():
    assert doubted(heard(SENTENCE, each_ms=100)) == ("fast",)


def test_one_word_in_little_speech_is_not_too_fast():
    assert doubted(heard("together", each_ms=120)) == ()


def test_long_speech_for_which_there_are_no_words_is_suspect():
    result = heard(SENTENCE)
    assert doubted(result, (Span(start_ms=0, end_ms=20_000),)) == ("words_missing",)


def test_silence_without_words_is_not_missed():
    result = heard(SENTENCE)
    spans = (*speech(result), Span(start_ms=19_000, end_ms=20_000))
    assert doubted(result, spans) == ()


def test_limits_can_be_set():
    strict = WhisperOptions(min_logprob=-0.1, max_chars_per_s=5.0)
    result = heard(SENTENCE)
    assert doubts(result, speech(result), strict) == ("fast", "low_confidence")


@pytest.mark.parametrize(
    "text",
    [
        "no no no no no no",
        "I know. I know. I know. I know.",
        "we sell the basket we sell the basket we sell the basket we sell the basket",
        "before it begins ha ha ha ha ha ha ha",
        "yes, Yes yes! yes yes yes",
    ],
)
def test_words_that_follow_themselves_too_often(text):
    assert is_repetitive(text.split(), 3)


@pytest.mark.parametrize(
    "text", ["", "no", "no no no no", "very very very old", "the cat and the dog and the bird", SENTENCE]
)
def test_words_that_people_repeat(text):
    assert not is_repetitive(text.split(), 3)


@given(st.lists(st.integers(), min_size=1, max_size=12, unique=True), st.integers(1, 6))
def test_any_phrase_said_more_often_than_allowed_is_found(phrase, most):
    said = [str(number) for number in phrase] * (most + 1)
    assert is_repetitive(said, most) == (len(said) >= 6)


@given(st.lists(st.text(max_size=5), max_size=60, unique_by=str.casefold))
def test_different_words_are_no_loop(words):
    named = [f"w{i}" for i in range(len(words))]
    assert not is_repetitive(named, 1)


def test_compression_is_whispers_measure():
    assert compression("") == 0
    assert compression(SENTENCE) < 1.5
    assert compression("la " * 100) > 10


def test_silence_is_what_whisper_takes_for_it():
    assert is_silence(heard("you", logprob=-1.5, no_speech=0.7), OPTIONS)
    assert not is_silence(heard("you", logprob=-0.5, no_speech=0.7), OPTIONS)
    assert not is_silence(heard("you", logprob=-1.5, no_speech=0.5), OPTIONS)


def test_wordless_speech_is_counted_before_between_and_after_words():
    words = (Word(start_ms=1000, end_ms=2000, text="a"), Word(start_ms=5000, end_ms=6000, text="b"))
    spans = (Span(start_ms=0, end_ms=2500), Span(start_ms=4000, end_ms=10_000))
    assert longest_wordless_ms(words, spans) == 4000
    assert longest_wordless_ms(words, spans[:1]) == 1000
    assert longest_wordless_ms((), spans) == 8500


def test_words_are_preferred_to_none_then_few_doubts_then_likely_text():
    nothing = preference(heard("", logprob=0.0), ("no_words",))
    poor = preference(heard("a b", logprob=-3.0), ("compression", "low_confidence"))
    better = preference(heard("a b", logprob=-1.5), ("low_confidence",))
    likely = preference(heard("a b", logprob=-1.2), ("low_confidence",))
    good = preference(heard("a b", logprob=-0.9), ())
    assert nothing < poor < better < likely < good


@given(
    st.text(max_size=200),
    st.floats(-20, 0),
    st.floats(0, 1),
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 5000)), min_size=1, max_size=5),
)
def test_any_result_gets_sorted_known_doubts(text, logprob, no_speech, spans):
    result = heard(text, logprob=logprob, no_speech=no_speech)
    at, disjoint = 0, []
    for gap, length in spans:
        disjoint.append(Span(start_ms=at + gap, end_ms=at + gap + length))
        at += gap + length
    found = doubts(result, disjoint, OPTIONS)
    assert list(found) == sorted(set(found))
    assert set(found) <= {
        "compression", "fast", "low_confidence", "no_speech", "no_words", "repetition", "words_missing",
    }  # fmt: skip
    assert ("no_words" in found) == (not result.words)
