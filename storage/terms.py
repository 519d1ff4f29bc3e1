"""Words as search knows them, and the index of texts: which words they hold, how often, and what follows them.

A term is a run of letters, marks and digits, in lower case. Accents are taken off where they are often left out when
people type (Latin, Greek, Cyrillic, Hebrew, Arabic); in other scripts marks are letters. Apostrophes and hyphens
separate, so that ``eau`` finds *l'eau*. Scripts that write no spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese)
are cut at every character into two characters, as the CJK analyzers of Lucene do; the last of a run stands alone.

The same SQL cuts texts and queries, so that they cannot differ.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from storage.schemas import PARTS

SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー"
_LOSES_ACCENTS = r"\p{Latin}\p{Greek}\p{Cyrillic}\p{Hebrew}\p{Arabic}"

TERM_MACROS = (
    f"""CREATE MACRO published.is_spaceless(term) AS regexp_matches(term, '^[{SPACELESS}]')""",
    f"""CREATE MACRO published.folded(word) AS
        CASE WHEN regexp_matches(word, '[{_LOSES_ACCENTS}]')
             THEN replace(replace(strip_accents(word), 'ß', 'ss'), 'ς', 'σ') ELSE word END""",
    rf"""CREATE MACRO published.terms_of(text) AS
        CASE WHEN regexp_matches(text, '[^\x00-\x7F]') THEN
             flatten(list_transform(
                 regexp_extract_all(regexp_replace(lower(nfc_normalize(text)), '([{SPACELESS}]+)', ' \1 ', 'g'),
                                    '[\p{{L}}\p{{M}}\p{{N}}]+'),
                 lambda word: CASE WHEN published.is_spaceless(word)
                     THEN list_transform(range(1, length(word) + 1), lambda place: substr(word, place, 2))
                     ELSE [published.folded(word)] END))
        ELSE regexp_extract_all(lower(text), '[a-z0-9]+') END""",
    rf"""CREATE MACRO published.pieces_of(text) AS
        list_transform(
            regexp_extract_all(regexp_replace(text, '([{SPACELESS}]+)', chr(31) || '\1' || chr(31), 'g'),
                               '[\p{{L}}\p{{M}}\p{{N}}]+|[^\p{{L}}\p{{M}}\p{{N}}\x1F]+'),
            lambda piece: {{'piece': piece, 'terms': published.terms_of(piece),
                           'is_spaceless': published.is_spaceless(piece)}})""",
    "CREATE MACRO published.bit_of(term) AS 1::UBIGINT << (md5_number_lower(term) % 64)",
)
"""Create, in a connection with that schema, ``published.terms_of(text)``, the list of a text's terms in their order,
``published.pieces_of(text)``, the text in pieces, each with its terms, and ``published.bit_of(term)``, one of 64 bits
for each term, the same for ever."""


_COUNTS = "any_value(n_words) AS n_words, count(*)::INTEGER AS n"


def terms_sql(rows: str) -> str:
    """Return a query of the index of rows with ``text`` and ``n_words``; what else they have stays.

    It has ``term``, and how often it is there (``n``).
    """
    each = f"SELECT * EXCLUDE (text), unnest(published.terms_of(text)) AS term FROM ({rows})"
    return f"SELECT * EXCLUDE (n_words), {_COUNTS} FROM ({each}) GROUP BY ALL"


def followed_terms_sql(rows: str) -> str:
    """Return the same with ``followers``, the bits of the terms that come right after the term in the text.

    Where the bit of another term is missing, that one does not follow: a Bloom filter with one hash function.
    """
    cut = f"SELECT * EXCLUDE (text), published.terms_of(text) AS terms FROM ({rows})"
    bits = "list_transform(terms, lambda _, place: coalesce(published.bit_of(terms[place + 1]), 0::UBIGINT))"
    each = f"SELECT * EXCLUDE (terms), unnest(terms) AS term, unnest({bits}) AS follower FROM ({cut})"
    return f"SELECT * EXCLUDE (n_words, follower), {_COUNTS}, bit_or(follower) AS followers FROM ({each}) GROUP BY ALL"


def index_terms(transcripts: pa.Table) -> pa.Table:
    """Return the index of a part's transcripts, as ``PARTS["terms"]``, sorted by term and row.

    Rows are named by their place in the part's file, so the index is of that very file.
    """
    rows = "SELECT row_number() OVER ()::INTEGER - 1 AS row, text, n_words FROM incoming"
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.execute("CREATE SCHEMA published")
        for macro in TERM_MACROS:
            connection.execute(macro)
        connection.register("incoming", transcripts.select(["text", "n_words"]))
        found = connection.execute(f"SELECT term, row, n, n_words FROM ({terms_sql(rows)}) ORDER BY term, row")
        return found.to_arrow_table().cast(PARTS["terms"])
