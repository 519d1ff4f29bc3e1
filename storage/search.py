"""``search(query)``: a table macro that finds utterances by their words, best first.

The words decide in the index, which a function of Python reads with queries as small as can be and ranks with NumPy: a
query that did all of it would take DuckDB as long to plan as to answer.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from itertools import count

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import ARROW, SPECIAL

from storage.errors import ConfigError
from storage.ranking import Ints, Postings, Ranked, Totals, rank
from storage.search_query import Phrase, SearchQuery, Word, parse_query

_FUNCTION = "ranked_utterances"
_RANKED = "STRUCT(file BIGINT, place BIGINT, score DOUBLE, rank BIGINT)[]"
_LAST_CHARACTER = chr(0x10FFFF)
_FILE = 1 << 32
"""An utterance's number is that of its file times this, plus its place in it."""
_TEXTS_AT_FIRST = 1_000
"""Utterances whose texts are looked at for phrases before more are; so many are fetched each by itself."""
_NUMBER = f"file * {_FILE} + place"
_POSTINGS = f"SELECT {_NUMBER} AS number, part, row, n, n_words, %s AS may_fit FROM published.postings"
_ANY, _FOLLOWED = "true", "(followers IS NULL OR followers & published.bit_of(?) != 0)"


def create_search(connection: duckdb.DuckDBPyConnection, columns: str, names: str) -> None:
    """Create the macro in a connection with the views ``postings``, ``placed`` and ``counted``.

    It works for as long as the connection is held, on its cursors too.

    Args:
        connection: To a catalog, whose state does not change.
        columns: What the macro gives of transcripts ``t``, besides ``score``.
        names: The join that these columns want besides.
    """
    key = next(_KEYS)
    _SEARCHED[key] = _Searched(connection.cursor())
    weakref.finalize(connection, _SEARCHED.pop, key)
    connection.create_function(
        _FUNCTION,
        _ranked_utterances,
        ["BIGINT", "VARCHAR", "BIGINT"],
        _RANKED,
        type=ARROW,
        null_handling=SPECIAL,
        side_effects=True,  # or it would be asked while the query is planned, and again when it runs
    )
    connection.execute(
        f"""CREATE MACRO main.search(query, at_most := NULL) AS TABLE
        SELECT {columns}, r.score
        FROM (SELECT unnest({_FUNCTION}({key}, query, at_most), recursive := true)) r
        JOIN published.placed t USING (place) {names}
        -- A join by file as well would not tell the files which rows are wanted.
        WHERE CASE WHEN t.file = r.file THEN true ELSE false END
        ORDER BY r.rank"""
    )


def read_query(connection: duckdb.DuckDBPyConnection, query: str) -> SearchQuery:
    """Return what a query asks for, as this connection's lake cuts words."""

    def cut(items: Sequence[str]) -> list[list[tuple[str, bool]]]:
        found = connection.execute(
            """SELECT terms, list_transform(terms, lambda term: published.is_spaceless(term))
               FROM (SELECT published.terms_of(item) AS terms FROM (SELECT unnest(?::VARCHAR[]) AS item))""",
            [list(items)],
        )
        return [list(zip(*columns, strict=True)) for columns in found.fetchall()]

    return parse_query(query, cut)


class _Searched:
    """A catalog that is searched."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._totals: Totals | None = None

    def answer(self, text: str, at_most: int | None) -> pa.StructArray:
        """Return the utterances that fit a query, the best first."""
        with self._connection.cursor() as cursor:  # one connection answers one question at a time
            return _rows_of(self._ranked(cursor, text, at_most))

    def _ranked(self, cursor: duckdb.DuckDBPyConnection, text: str, at_most: int | None) -> Ranked:
        query = read_query(cursor, text)
        totals = self._totals = self._totals or _totals(cursor)
        found = [(word.is_excluded, _postings(cursor, word)) for word in query.words]
        wanted = [postings for is_excluded, postings in found if not is_excluded]
        excluded = [postings for is_excluded, postings in found if is_excluded]
        if not query.phrases:
            return rank(wanted, excluded, totals, at_most)
        return _with_phrases(cursor, query.phrases, rank(wanted, excluded, totals, None), at_most)


_KEYS = count()
_SEARCHED: dict[int, _Searched] = {}
"""Catalogs whose connections are held. DuckDB would not keep a function of theirs alive as long as itself."""


def _ranked_utterances(keys: pa.ChunkedArray, queries: pa.ChunkedArray, limits: pa.ChunkedArray) -> pa.Array:
    """Return the utterances that fit each query, of type ``_RANKED``."""
    answers = []
    for key, query, at_most in zip(*(one.to_pylist() for one in (keys, queries, limits)), strict=True):
        if key not in _SEARCHED:
            problem = "the connection that opened the catalog is gone"
            raise ConfigError("search", problem, "hold it for as long as its cursors are used")
        answers.append(_SEARCHED[key].answer(query or "", at_most))
    offsets = np.cumsum([0, *map(len, answers)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.concat_arrays(answers))


def _totals(cursor: duckdb.DuckDBPyConnection) -> Totals:
    counted = "SELECT sum(n_utterances)::BIGINT, coalesce(sum(n_words), 0)::BIGINT FROM published.counted"
    ((n_utterances, n_words),) = cursor.execute(counted).fetchall()
    return Totals(n_utterances=n_utterances, n_words=n_words)


def _postings(cursor: duckdb.DuckDBPyConnection, word: Word) -> Postings:
    if word.is_prefix:
        found = cursor.execute(
            f"""SELECT number, any_value(part) AS part, any_value(row) AS row, sum(n)::INTEGER AS n,
                       any_value(n_words) AS n_words, true AS may_fit
                FROM ({_POSTINGS % _ANY} WHERE term >= ? AND term < ?) GROUP BY number""",
            [word.term, word.term + _LAST_CHARACTER],
        )
    elif word.followed_by is None:
        found = cursor.execute(f"{_POSTINGS % _ANY} WHERE term = ?", [word.term])
    else:
        found = cursor.execute(f"{_POSTINGS % _FOLLOWED} WHERE term = ?", [word.followed_by, word.term])
    columns = found.to_arrow_table()
    may_fit = columns["may_fit"].to_numpy()
    counts = columns.drop_columns("may_fit")
    arrays = {name: counts[name].to_numpy().astype(np.int64, copy=False) for name in counts.column_names}
    return Postings(**arrays, may_fit=may_fit)


def _with_phrases(
    cursor: duckdb.DuckDBPyConnection, phrases: Sequence[Phrase], ranked: Ranked, at_most: int | None
) -> Ranked:
    """Return what has the phrases; where the best are enough the texts of the others are not read."""
    n_first = len(ranked.number) if at_most is None else max(at_most, _TEXTS_AT_FIRST)
    chosen = np.empty(0, np.int64)
    for some in (slice(n_first), slice(n_first, None)):
        if at_most is None or len(chosen) < at_most:
            fitting = _having(cursor, phrases, ranked.number[some])
            chosen = np.concatenate([chosen, np.flatnonzero(np.isin(ranked.number, fitting))])
    chosen = chosen[:at_most]
    return Ranked(number=ranked.number[chosen], score=ranked.score[chosen])


def _having(cursor: duckdb.DuckDBPyConnection, phrases: Sequence[Phrase], numbers: Ints) -> Ints:
    """Return which of these utterances have the phrases."""
    if not len(numbers):
        return numbers
    cursor.register("candidates", pa.table(_places(numbers)))
    found = cursor.execute(
        f"""SELECT {_NUMBER} AS number, ' ' || array_to_string(published.terms_of(text), ' ') || ' ' AS terms
            FROM candidates JOIN (SELECT place, file AS its_file, text FROM published.placed) USING (place)
            WHERE CASE WHEN its_file = file THEN true ELSE false END"""
    ).to_arrow_table()
    for phrase in phrases:  # a condition of the query would be asked of every text of the lake
        has_it = pc.match_substring(found["terms"], phrase.text)
        found = found.filter(pc.invert(has_it) if phrase.is_excluded else has_it)
    kept: Ints = found["number"].to_numpy()
    return kept


def _places(numbers: Ints) -> dict[str, Ints]:
    return dict(zip(("file", "place"), np.divmod(numbers, _FILE), strict=True))


def _rows_of(ranked: Ranked) -> pa.StructArray:
    columns = {**_places(ranked.number), "score": ranked.score, "rank": np.arange(len(ranked.score))}
    return pa.StructArray.from_arrays([pa.array(one) for one in columns.values()], list(columns))
