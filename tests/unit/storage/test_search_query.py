"""What a person types is taken apart without a surprise, whatever it is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.search_query import parse_query

SPACELESS = "東京都"
RUNS = re.compile(f"[a-z0-9]+|[{SPACELESS}]+")


def cut(items):
    """Cut as the index does, for ASCII and these three characters."""
    return [[pair for run in RUNS.findall(item.lower()) for pair in cut_run(run)] for item in items]


def cut_run(run):
    return [(run[at : at + 2], True) for at in range(len(run))] if run[0] in SPACELESS else [(run, False)]


def parsed(text):
    query = parse_query(text, cut)
    words = ["-" * one.is_excluded + one.term + "*" * one.is_prefix for one in query.words]
    return words, ["-" * one.is_excluded + one.text for one in query.phrases]


@pytest.mark.parametrize(
    ("text", "words", "phrases"),
    [
        ("coal mine", ["coal", "mine"], []),
        ('"coal mine"', ["coal", "mine"], [" coal mine "]),
        ("coal-mine", ["coal", "mine"], [" coal mine "]),
        ("Don't", ["don", "t"], [" don t "]),
        ("min*", ["min*"], []),
        ('"coal min*"', ["coal", "min*"], [" coal min"]),
        ('"coal min"*', ["coal", "min*"], [" coal min"]),
        ("min *", ["min"], []),
        ("*min", ["min"], []),
        ("-pit coal", ["-pit", "coal"], []),
        ('coal -"open pit"', ["coal"], ["- open pit "]),
        ('-"pit"', ["-pit"], []),
        ('"coal mine', ["coal", "mine"], [" coal mine "]),
        ("coal coal", ["coal", "coal"], []),
        ("東", ["東*"], []),
        ("東京", ["東京"], []),
        ("東京都", ["東京", "京都"], [" 東京 京都 "]),
        ("a東京", ["a", "東京"], [" a 東京 "]),
        ("a東", ["a", "東*"], [" a 東"]),
        ("-東", ["-東*"], []),
        ("", [], []),
        ('- "" *', [], []),
    ],
)
def test_what_is_asked_for(text, words, phrases):
    assert parsed(text) == (words, phrases)


@pytest.mark.parametrize(
    ("text", "followers"),
    [
        ('coal "old coal mine" pit', [None, "coal", "mine", None, None]),
        ('"coal min*"', [None, None]),
        ("東京都", ["京都", None]),
        ("東", [None]),
        ('-"coal mine" -pit', [None]),
        ("coal mine", [None, None]),
    ],
)
def test_what_follows_a_word_in_a_phrase_is_known_unless_it_is_a_beginning(text, followers):
    assert [word.followed_by for word in parse_query(text, cut).words] == followers


@given(st.text("ab-*\"' 東京都ß", max_size=12))
def test_anything_is_a_query(text):
    query = parse_query(text, cut)
    assert all(word.term for word in query.words)
    assert all(phrase.text.strip() for phrase in query.phrases)
    assert all(len(phrase.text.split()) > 1 for phrase in query.phrases)
