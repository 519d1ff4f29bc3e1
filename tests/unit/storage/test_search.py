"""Search finds what a look at every text finds, in any script, packed or not, and ranks as BM25 says."""

import gc
import math

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.catalog import open_catalog
from storage.terms import TERM_MACROS
from tasks.publishing import pack_plan
from tasks.publishing.pack import pack_lake
from tests.text_lakes import publish_texts

TEXTS = {
    "one": {
        "A": [("spk_1", "Down in the coal mine."), ("spk_2", "The mine of coal; a coal-mine!"), (None, "")],
        "B": [("spk_1", "Don't say l'eau, say ÉCOLE or Straße."), ("spk_2", "東京タワーへ行く")],
    },
    "two": {
        "C": [("spk_2", "miners mined minerals"), ("spk_1", "the pit, the PIT"), ("spk_1", "ภาษาไทยง่าย")],
        "D": [("spk_3", "It's the miner's coal"), ("spk_3", "हिन्दी में कोयला"), ("spk_3", "京都の東")],
    },
}
FOUND = {
    "coal": {"A0", "A1", "D0"},
    "COAL mine": {"A0", "A1"},
    '"coal mine"': {"A0", "A1"},
    '"mine of coal"': {"A1"},
    "coal-mine": {"A0", "A1"},
    "coal -pit": {"A0", "A1", "D0"},
    "coal -down": {"A1", "D0"},
    'coal -"mine of coal"': {"A0", "D0"},
    'mine -"coal mine"': set(),
    "min*": {"A0", "A1", "C0", "D0"},
    "min* coal": {"A0", "A1", "D0"},
    '"coal min*"': {"A0", "A1"},
    "min* p* ": set(),
    "mine miner": set(),
    "miner": {"D0"},
    "ecole": {"B0"},
    "école strasse": {"B0"},
    "eau": {"B0"},
    "don't": {"B0"},
    "東京": {"B1"},
    "東": {"B1", "D2"},
    "京": {"B1", "D2"},
    "タワー": {"B1"},
    "京東": set(),
    "京都の東": {"D2"},
    "ไทย": {"C2"},
    "हिन्दी": {"D1"},
    "हिनदी": set(),
    "-coal": set(),
    "": set(),
    "…": set(),
    '"': set(),
    "nowhere": set(),
    "pit' OR 1=1 --": set(),
}


def search(catalog, query, more=""):
    found = catalog.execute(f"SELECT recording_id || utterance_index FROM search(?) {more}", [query]).fetchall()
    return [one for (one,) in found]


@pytest.fixture(scope="module", params=["parts", "packed", "both", "without an index"])
def catalog(request, tmp_path_factory):
    url = str(tmp_path_factory.mktemp("lake"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack_plan, "_FEWEST_PARTS", 1)
        if request.param == "both":
            publish_texts(url, 1, {"one": TEXTS["one"]})
            pack_lake(url)
        publish_texts(url, 2, TEXTS, indexed=request.param != "without an index")
        if request.param == "packed":
            assert pack_lake(url).n_packs == 1
    with open_catalog(url) as connection:
        yield connection


@pytest.mark.parametrize("query", FOUND)
def test_what_is_found(catalog, query):
    found = search(catalog, query)
    assert set(found) == FOUND[query]
    assert len(found) == len(set(found))


def test_packs_know_what_follows_a_word(tmp_path, monkeypatch):
    monkeypatch.setattr(pack_plan, "_FEWEST_PARTS", 1)
    publish_texts(tmp_path, 1, TEXTS)
    pack_lake(str(tmp_path))
    bits = "bit_count(followers), followers & published.bit_of('mine') != 0"
    with open_catalog(str(tmp_path)) as catalog:
        coal = catalog.execute(f"SELECT {bits} FROM published.postings WHERE term = 'coal' ORDER BY ALL").fetchall()
    assert coal == [(0, False), (1, True), (2, True)]


def test_rows_are_transcripts_with_a_score(catalog):
    columns = [name for name, *_ in catalog.execute("DESCRIBE transcripts").fetchall()]
    found = catalog.execute("SELECT * FROM search('\"coal mine\"')")
    assert [name for name, *_ in found.description] == [*columns, "score"]
    same = "SELECT * EXCLUDE (score) FROM search('min*') EXCEPT SELECT * FROM transcripts"
    assert catalog.execute(same).fetchall() == []


def test_the_best_come_first_and_no_more_than_asked(catalog):
    ranked = search(catalog, "the")
    assert ranked[0] == "C1"
    assert search(catalog, "the", more="LIMIT 2") == ranked[:2]
    assert [
        one
        for (one,) in catalog.execute(
            "SELECT recording_id || utterance_index FROM search('the', at_most := 2)"
        ).fetchall()
    ] == ranked[:2]
    assert len(catalog.execute("SELECT 1 FROM search('\"coal mine\"', at_most := 1)").fetchall()) == 1


def test_scores_are_those_of_bm25(catalog):
    lengths = [len(text.split()) for part in TEXTS.values() for rows in part.values() for _, text in rows]
    mean = sum(lengths) / len(lengths)
    idf = math.log(1 + (len(lengths) - 3 + 0.5) / (3 + 0.5))
    score = idf * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 6 / mean))
    found = catalog.execute("SELECT score FROM search('coal') WHERE recording_id || utterance_index = 'A1'").fetchall()
    assert found == [(pytest.approx(score, abs=1e-5),)]


def test_search_joins_with_other_views(catalog):
    found = "SELECT s.speaker_id, count(*) FROM search('coal') s JOIN transcripts t USING (recording_id) GROUP BY 1"
    assert catalog.execute(f"SELECT count(*) FROM ({found})").fetchall() == [(3,)]


# ---- the same as looking at every text

WORDS = st.sampled_from(
    ["coal", "mine", "Coal", "l'eau", "eau", "é", "mi", "東京", "京", "東京都", "ไทย", "ß", "-", "x"]
)
LINES = st.lists(WORDS, max_size=5).map(" ".join)


@pytest.fixture(scope="module")
def terms_of():
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA published")
    for macro in TERM_MACROS:
        connection.execute(macro)
    return lambda text: connection.execute("SELECT published.terms_of(?)", [text]).fetchone()[0]


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(LINES, LINES), min_size=1, max_size=6), st.lists(LINES.filter(str.strip), max_size=6), st.data()
)
def test_search_finds_what_a_scan_finds(tmp_path_factory, terms_of, texts, queries, data):
    url = str(tmp_path_factory.mktemp("lake"))
    parts = {f"p{index}": {f"R{index}": [("spk", line) for line in lines]} for index, lines in enumerate(texts)}
    publish_texts(url, 1, parts)
    if data.draw(st.booleans()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pack_plan, "_FEWEST_PARTS", 1)
            pack_lake(url)
    said = {f"R{index}{place}": line for index, lines in enumerate(texts) for place, line in enumerate(lines)}
    with open_catalog(url) as catalog:
        for query in queries:
            phrases = [terms_of(item) for item in query.split()]
            wanted = {key for key, line in said.items() if scanned(terms_of(line), [one for one in phrases if one])}
            assert set(search(catalog, query.replace("-", ""))) == wanted, query
            quoted = terms_of(query)
            wanted = {key for key, line in said.items() if scanned(terms_of(line), [quoted] if quoted else [])}
            assert set(search(catalog, f'"{query}"')) == wanted, query


def scanned(terms, phrases):
    """Return whether a text has all phrases; the last of a run without spaces may go on in the text."""
    return bool(phrases) and all(
        any(fits(terms[place : place + len(phrase)], phrase) for place in range(len(terms))) for phrase in phrases
    )


def fits(terms, phrase):
    is_open = not phrase[-1].isascii() and len(phrase[-1]) == 1 and phrase[-1] != "é"
    return terms == phrase or (
        is_open and len(terms) == len(phrase) and terms[:-1] == phrase[:-1] and terms[-1].startswith(phrase[-1])
    )


def test_a_cursor_searches_while_its_connection_is_held_and_says_so_when_it_is_not(tmp_path):
    publish_texts(tmp_path, 1, TEXTS)
    connection = open_catalog(str(tmp_path))
    cursor = connection.cursor()
    assert set(search(cursor, "coal")) == FOUND["coal"]
    del connection
    gc.collect()
    with pytest.raises(duckdb.Error, match="connection that opened the catalog is gone"):
        search(cursor, "coal")
    cursor.close()


def test_several_searches_stand_in_one_query(catalog):
    asked = "SELECT (SELECT count(*) FROM search('coal')), (SELECT count(*) FROM search('\"coal mine\"'))"
    assert catalog.execute(asked).fetchall() == [(3, 2)]
    assert catalog.execute("SELECT count(*) FROM search(NULL)").fetchall() == [(0,)]
