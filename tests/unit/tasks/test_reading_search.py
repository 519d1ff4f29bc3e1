"""What `voxlake search` shows: hits with their words marked, and what was said around them."""

import pytest

from storage.errors import ConfigError
from storage.lake import Lake
from tasks.reading.search import search_lake
from tests.text_lakes import publish_texts

TEXTS = {
    "A": [
        ("spk_1", "Good morning."),
        ("spk_2", "Down the coal mine!"),
        ("spk_1", "Which mine?"),
        ("spk_2", "École, ecole"),
    ],
    "B": [("spk_2", "coal, coal and COAL"), (None, "東京タワーと東京都")],
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    url = str(tmp_path_factory.mktemp("lake"))
    publish_texts(url, 1, {"p": TEXTS})
    Lake(url).name_speaker("spk_2", "Ada")
    return url


def marked(hit):
    text = hit.text
    for start, end in reversed(hit.marks):
        text = f"{text[:start]}<{text[start:end]}>{text[end:]}"
    return text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ('"coal mine"', ["Down the <coal> <mine>!"]),
        ("coal", ["<coal>, <coal> and <COAL>", "Down the <coal> mine!"]),
        ("min* -coal", ["Which <mine>?"]),
        ("ecole", ["<École>, <ecole>"]),
        ("東京", ["<東京>タワーと<東京>都"]),
        ("京", ["東<京>タワーと東<京>都"]),
        ("東京都 タワー", ["<東京タワー>と<東京都>"]),
        ("nothing", []),
    ],
)
def test_words_are_marked(lake, query, shown):
    hits = search_lake(lake, query)
    assert [marked(hit) for hit in hits] == shown


def test_who_says_it_where_and_what_is_said_around_it(lake):
    (hit,) = search_lake(lake, '"coal mine"', n_around=2)
    assert (hit.source, hit.start_ms, hit.speaker, hit.speaker_id) == ("A.wav", 1000, "Ada", "spk_2")
    assert [line.text for line in hit.before] == ["Good morning."]
    assert [(line.speaker, line.text) for line in hit.after] == [("spk_1", "Which mine?"), ("Ada", "École, ecole")]


def test_search_is_narrowed(lake):
    assert [hit.source for hit in search_lake(lake, "coal", limit=1)] == ["B.wav"]
    with pytest.raises(ConfigError, match="not in the lake"):
        search_lake(lake, "coal", speaker="nobody")
    assert search_lake(lake, "coal", collection="none") == []


@pytest.mark.parametrize("query", ["", "…", "-coal"])
def test_a_query_without_words_is_refused(lake, query):
    with pytest.raises(ConfigError, match="no word to look for"):
        search_lake(lake, query)
