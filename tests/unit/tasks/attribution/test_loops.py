"""Loops are found in any language, and what people really say is not taken for one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.attribution.columns import WordTimes
from tasks.attribution.loops import FEWEST_REPEATS, FEWEST_WORDS, LONGEST_PHRASE, MAX_COMPRESSION, compression, looping

PROSE = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it "
    "was the epoch of belief, it was the epoch of incredulity, it was the season of light"
)


def times(starts, word_ms=200, channels=None):
    start = np.array(starts, np.int64)
    channel = np.zeros(len(start), np.int16) if channels is None else np.array(channels, np.int16)
    return WordTimes(
        start_ms=start, end_ms=start + word_ms, channel=channel, ends_sentence=np.zeros(len(start), np.bool_)
    )


def found(texts, starts=None, channels=None):
    return looping(times(range(0, 250 * len(texts), 250) if starts is None else starts, channels=channels), texts)


@pytest.mark.parametrize(
    ("text", "n_looping"),
    [
        ("thank you thank you thank you thank you", 8),
        ("so thank you thank you thank you thank you very much", 8),
        ("I'll be right back. I'll be right back. I'll be right back. I'll be right", 0),  # three times and a bit
        ("I'll be right back. I'll be right back. I'll be right back. I'll be right back.", 16),
        ("Yes, yes. Yes! yes, YES yes - yes yes", 9),
        ("no no no no no no no", 0),
        ("ja ja ja ja ja ja ja ja", 8),
        ("да да да да да да да да нет", 8),
        ("哈 哈 哈 哈 哈 哈 哈 哈", 8),
        (PROSE, 0),
        ("- , . - , . - , .", 0),
        ("", 0),
    ],
)
def test_a_phrase_that_follows_itself_is_a_loop(text, n_looping):
    texts = text.split()
    marks = [word for word in texts if word == "-"]
    assert found(texts).sum() == n_looping - (len(marks) if n_looping else 0)


def test_a_loop_goes_on_over_utterances_and_marks_but_not_over_a_long_pause_or_another_channel():
    assert found(["yes"] * 8).all()
    assert not found(["yes"] * 8, starts=range(0, 8 * 30_000, 30_000)).any()
    assert not found(["yes"] * 14, starts=sorted([*range(0, 3_500, 500)] * 2), channels=[0, 1] * 7).any()
    assert found(["yes"] * 16, starts=sorted([*range(0, 4_000, 500)] * 2), channels=[0, 1] * 8).all()


WORDS = st.lists(st.sampled_from(["a", "A.", "b", "c", "—"]), max_size=40)


def by_loop(texts):
    """Return the words in loops, the slow and plain way."""
    kept = [index for index, text in enumerate(texts) if text != "—"]
    plain = [texts[index][0].lower() for index in kept]
    marked = set()
    for length in range(1, LONGEST_PHRASE + 1):
        for first in range(len(plain)):
            last = first
            while last + length < len(plain) and plain[last] == plain[last + length]:
                last += 1
            n_words = last - first + length
            if last > first and n_words // length >= FEWEST_REPEATS and n_words >= FEWEST_WORDS:
                marked.update(kept[first : first + n_words])
    return [index in marked for index in range(len(texts))]


@given(WORDS | st.lists(st.sampled_from(["a", "b"]), max_size=40))
def test_words_in_loops_are_those_a_plain_search_finds(texts):
    assert found(texts).tolist() == by_loop(texts)


@given(WORDS, st.integers(1, LONGEST_PHRASE), st.integers(FEWEST_WORDS, 12))
def test_whatever_is_said_often_enough_in_a_row_is_found(before, length, times_said):
    phrase = [f"w{index}" for index in range(length)]
    told = found([*before, *phrase * times_said, "end"])
    assert told[len(before) : len(before) + length * times_said].all()
    assert not told[-1]


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        "天气很好，我们去公园散步，然后回家吃饭。晚上他要给母亲写一封很长的信，告诉她这里发生的一切。",
        "आज मौसम बहुत अच्छा है और हम सब लोग बगीचे में घूमने जा रहे हैं, फिर घर लौटकर खाना खाएँगे और आराम करेंगे।",
        "no, no, no, no, no",
        "",
    ],
)
def test_what_people_say_does_not_compress(text):
    assert compression(text) < MAX_COMPRESSION


@pytest.mark.parametrize("phrase", ["ha", "I'm going to the store. ", "谢谢大家的观看，", "धन्यवाद। "])
def test_a_loop_compresses_also_without_spaces(phrase):
    assert compression(phrase * (120 // len(phrase))) > MAX_COMPRESSION


@given(st.text(max_size=400))
def test_any_text_can_be_measured(text):
    assert compression(text) > 0
