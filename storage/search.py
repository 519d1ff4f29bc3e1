"""``search(query)``: a table macro that finds utterances by their words, best first.

The query language, as in most search boxes::

    coal mine          both words
    "coal mine"        one after the other; so is what is written together, such as well-known
    min*               words that begin so
    -pit -"coal mine"  without these

Ranking is BM25 (Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009) with k1 = 1.2 and
b = 0.75; the length of an utterance is its number of words. Of a word that is given as a beginning, all words that
begin so count as one.
"""

from __future__ import annotations

from storage.terms import SPACELESS

_LAST_CHARACTER = "chr(1114111)"
_LETTER = r"[\p{L}\p{M}\p{N}]"

QUERY_MACROS = (
    # What stands between spaces or in quotes; of each its terms. The last of a spaceless run is in the term before it;
    # alone it stands for every term that begins so.
    f"""CREATE MACRO published.query_items(query) AS
        list_filter(list_transform(
            list_transform(
                regexp_extract_all(query, '-?"[^"]*"?\\*?|[^\\s"]+'),
                lambda item: {{'terms': published.terms_of(item), 'is_excluded': starts_with(item, '-'),
                               'is_prefix': regexp_matches(item, '{_LETTER}"?\\*"?$')}}),
            lambda item: CASE
                WHEN NOT published.is_spaceless(item.terms[-1]) THEN item
                WHEN length(item.terms[-1]) = 1 AND len(item.terms) > 1 AND length(item.terms[-2]) = 2
                     AND published.is_spaceless(item.terms[-2]) AND ends_with(item.terms[-2], item.terms[-1])
                THEN {{'terms': item.terms[:-2], 'is_excluded': item.is_excluded, 'is_prefix': false}}
                ELSE {{'terms': item.terms, 'is_excluded': item.is_excluded,
                       'is_prefix': length(item.terms[-1]) = 1}} END),
            lambda item: len(item.terms) > 0)""",
    # Of items what is looked for in the index. A phrase that is excluded is only looked for in texts.
    """CREATE MACRO published.wanted_terms(items) AS
        flatten(list_transform(
            list_filter(items, lambda item: NOT item.is_excluded OR len(item.terms) = 1),
            lambda item: list_transform(
                item.terms,
                lambda term, place: {'term': term, 'is_excluded': item.is_excluded,
                                     'is_prefix': item.is_prefix AND place = len(item.terms)})))""",
    # Phrases of items as they stand among the terms of a text, between spaces.
    """CREATE MACRO published.wanted_phrases(items) AS
        list_transform(
            list_filter(items, lambda item: len(item.terms) > 1),
            lambda item: {'is_excluded': item.is_excluded,
                          'phrase': ' ' || array_to_string(item.terms, ' ') || if(item.is_prefix, '', ' ')})""",
    """CREATE MACRO published.has_phrases(terms, phrases) AS
        list_bool_and(list_transform(phrases, lambda one: contains(terms, one.phrase) <> one.is_excluded)) IS NOT false
    """,
    # These two are cheap and known before anything is read: the first says no where there may be a phrase; the second
    # has every beginning that is wanted, so that only files' row groups between them are read.
    f"""CREATE MACRO published.is_plain(query) AS
        NOT regexp_matches(query, '[^\\p{{L}}\\p{{M}}\\p{{N}}\\s*-]|\\S-|\\*\\S|[{SPACELESS}]')""",
    f"""CREATE MACRO published.beginnings(query) AS list_concat(
        list_transform(regexp_extract_all(query, '({_LETTER}+)"?\\*', 1),
                       lambda word: published.folded(lower(nfc_normalize(word)))),
        regexp_extract_all(regexp_replace(query, '([^{SPACELESS}])', '\\1\\1', 'g'),
                           '(?:^|[^{SPACELESS}])([{SPACELESS}])(?:[^{SPACELESS}]|$)', 1))""",
)


def search_macro(columns: str, names: str) -> str:
    """Return the macro: a transcript's columns and ``score``.

    It wants ``postings``, ``places`` and ``placed_in_…`` in the schema ``published``. Words decide in the index alone;
    texts are read of what is shown, or where phrases are to be found in them.

    Args:
        columns: What it gives of transcripts ``t``.
        names: The join that these columns want besides.
    """
    return f"""CREATE MACRO main.search(query, at_most := NULL) AS TABLE
        WITH asked AS (SELECT published.query_items(query) AS items),
        wanted AS (
            SELECT i, one.term, one.is_excluded, one.is_prefix
            FROM (SELECT generate_subscripts(terms, 1) AS i, unnest(terms) AS one
                  FROM (SELECT published.wanted_terms(items) AS terms FROM asked))
        ), hits AS (
            SELECT i, is_packed, part_id, row, n, n_words
            FROM published.postings JOIN (FROM wanted WHERE NOT is_prefix) USING (term)
            UNION ALL
            SELECT i, is_packed, part_id, row, sum(n)::INTEGER, any_value(n_words)
            FROM published.postings p JOIN (FROM wanted WHERE is_prefix) w ON starts_with(p.term, w.term)
            WHERE p.term >= list_min(published.beginnings(query))
              AND p.term <= list_max(published.beginnings(query)) || {_LAST_CHARACTER}
            GROUP BY i, is_packed, part_id, row
        ), totals AS (
            SELECT count(*) AS n_all, avg(n_words) AS mean_words FROM published.transcripts
        ), rarity AS (
            SELECT i, any_value(is_excluded) AS is_excluded, any_value(mean_words) AS mean_words,
                   ln(1 + (any_value(n_all) - count(*) + 0.5) / (count(*) + 0.5)) AS idf
            FROM hits JOIN wanted USING (i) CROSS JOIN totals GROUP BY i
        ), scored AS (
            SELECT is_packed, part_id, row, count(*) AS n_found, bool_or(is_excluded) AS is_excluded,
                   round(sum(idf * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * n_words / mean_words))), 6) AS score
            FROM hits JOIN rarity USING (i)
            GROUP BY is_packed, part_id, row
        ), ranked AS (
            SELECT is_packed, part_id, row, score
            FROM scored CROSS JOIN (SELECT count(*) AS n_wanted FROM wanted WHERE NOT is_excluded)
            WHERE n_found = n_wanted AND NOT is_excluded
            ORDER BY score DESC, part_id, row
            LIMIT CASE WHEN published.is_plain(query) THEN at_most END
        ), found AS (
            -- A join by file as well would not tell the files which rows are wanted; there are few packs.
            SELECT t.*, r.score, r.part_id, r.row
            FROM (SELECT score, part_id, row, file, place::BIGINT AS place
                  FROM (FROM ranked WHERE is_packed) JOIN published.places USING (part_id, row)) r
            JOIN published.placed_in_packs t USING (place)
            WHERE CASE WHEN t.file = r.file THEN true ELSE false END
            UNION ALL BY NAME
            SELECT t.*, r.score, r.part_id, r.row
            FROM (FROM ranked WHERE NOT is_packed) r
            JOIN published.placed_in_parts t ON t.file = r.part_id AND t.place = r.row::BIGINT
        )
        SELECT {columns}, score
        FROM found t {names}
        WHERE published.is_plain(query) OR published.has_phrases(
            ' ' || array_to_string(published.terms_of(t.text), ' ') || ' ',
            (SELECT published.wanted_phrases(items) FROM asked))
        ORDER BY score DESC, part_id, row LIMIT at_most"""
