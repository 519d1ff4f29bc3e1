"""The standard by which words are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation.normalise import plain_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("“Don’t!”, SAID Zoë — 42 times…", ["don't", "said", "zoë", "42", "times"]),
        ("well-read snake_case 'quoted' o'clock's", ["well", "read", "snake", "case", "quoted", "o'clock's"]),
        ("3.5 or 1,000; v2.x, e.g. this.", ["3.5", "or", "1,000", "v2", "x", "e", "g", "this"]),
        ("Straße ﬁne ＡＢＣ e\u0301", ["strasse", "fine", "abc", "é"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("今天Python好。", ["今", "天", "python", "好"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("한국어 말", ["한국어", "말"]),
        (" … -- ", []),
    ],
)
def test_what_is_left_of_a_text(text, words):
    assert plain_words(text) == words


@given(st.text())
def test_what_is_normal_stays(text):
    words = plain_words(text)
    assert plain_words(" ".join(words)) == words


@given(st.text(st.characters(max_codepoint=127)))
def test_words_do_not_depend_on_what_else_is_said(text):
    """Plain ASCII is read by a quicker rule; a word beyond it must not change the others."""
    assert plain_words(f"{text} ž") == [*plain_words(text), "ž"]


@given(st.text())
def test_case_and_spaces_say_nothing(text):
    assert plain_words(f"  {text}\n") == plain_words(text)
    if text.isascii():
        assert plain_words(text.upper()) == plain_words(text.lower())
