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

_LAST_CHARACTER = "chr(1114111)"

QUERY_MACROS = (
    # What stands between spaces or in quotes; of each its terms. The last of a spaceless run is in the term before it.
    """CREATE MACRO published.query_items(query) AS
        list_filter(list_transform(
            list_transform(
                regexp_extract_all(query, '-?"[^"]*"?\\*?|[^\\s"]+'),
                lambda item: {'terms': published.terms_of(item), 'is_excluded': starts_with(item, '-'),
                              'is_prefix': ends_with(rtrim(item, '"'), '*')}),
            lambda item: CASE
                WHEN NOT published.is_spaceless(item.terms[-1]) OR length(item.terms[-1]) > 1 THEN item
                WHEN len(item.terms) > 1 AND published.is_spaceless(item.terms[-2])
                     AND ends_with(item.terms[-2], item.terms[-1])
                THEN {'terms': item.terms[:-2], 'is_excluded': item.is_excluded, 'is_prefix': item.is_prefix}
                ELSE {'terms': item.terms, 'is_excluded': item.is_excluded, 'is_prefix': true} END),
            lambda item: len(item.terms) > 0)""",
    # Of each item what is looked for in the index. A phrase that is excluded is only looked for in texts.
    """CREATE MACRO published.query_terms(query) AS
        flatten(list_transform(
            list_filter(published.query_items(query), lambda item: NOT item.is_excluded OR len(item.terms) = 1),
            lambda item: list_transform(
                item.terms,
                lambda term, place: {'term': term, 'is_excluded': item.is_excluded,
                                     'is_prefix': item.is_prefix AND place = len(item.terms)})))""",
    """CREATE MACRO published.query_beginnings(query) AS
        list_transform(list_filter(published.query_terms(query), lambda one: one.is_prefix), lambda one: one.term)""",
    # Phrases as they stand among the terms of a text, between spaces.
    """CREATE MACRO published.query_phrases(query, excluded) AS
        list_transform(
            list_filter(published.query_items(query),
                        lambda item: item.is_excluded = excluded AND len(item.terms) > 1),
            lambda item: ' ' || array_to_string(item.terms, ' ') || CASE WHEN item.is_prefix THEN '' ELSE ' ' END)""",
    """CREATE MACRO published.has_phrases(text, query) AS
        list_bool_and(list_transform(published.query_phrases(query, false), lambda phrase: contains(
            ' ' || array_to_string(published.terms_of(text), ' ') || ' ', phrase))) IS NOT false
        AND list_bool_or(list_transform(published.query_phrases(query, true), lambda phrase: contains(
            ' ' || array_to_string(published.terms_of(text), ' ') || ' ', phrase))) IS NOT true""",
    """CREATE MACRO published.is_plain(query) AS
        len(published.query_phrases(query, false)) + len(published.query_phrases(query, true)) = 0""",
)


def search_macro(columns: str, names: str) -> str:
    """Return the macro: a transcript's columns and ``score``.

    It wants ``postings``, ``places`` and ``placed`` in the schema ``published``. Words decide in the index alone; texts
    are read of what is shown, or where phrases are to be found in them.

    Args:
        columns: What it gives of ``published.placed t``.
        names: The join that these columns want besides.
    """
    return f"""CREATE MACRO main.search(query, at_most := NULL) AS TABLE
        WITH wanted AS (
            SELECT i, one.term, one.is_excluded, one.is_prefix
            FROM (SELECT generate_subscripts(published.query_terms(query), 1) AS i,
                         unnest(published.query_terms(query)) AS one)
        ), hits AS (
            SELECT i, is_packed, part_id, row, n, n_words
            FROM published.postings JOIN (FROM wanted WHERE NOT is_prefix) USING (term)
            UNION ALL
            SELECT i, is_packed, part_id, row, sum(n)::INTEGER, any_value(n_words)
            FROM published.postings p JOIN (FROM wanted WHERE is_prefix) w ON starts_with(p.term, w.term)
            WHERE p.term >= list_min(published.query_beginnings(query))
              AND p.term <= list_max(published.query_beginnings(query)) || {_LAST_CHARACTER}
            GROUP BY i, is_packed, part_id, row
        ), totals AS (
            SELECT count(*) AS n_all, avg(n_words) AS mean_words FROM published.transcripts
        ), rarity AS (
            SELECT i, any_value(is_excluded) AS is_excluded,
                   ln(1 + (any_value(n_all) - count(*) + 0.5) / (count(*) + 0.5)) AS idf
            FROM hits JOIN wanted USING (i) CROSS JOIN totals GROUP BY i
        ), scored AS (
            SELECT is_packed, part_id, row, count(*) AS n_found, bool_or(is_excluded) AS is_excluded,
                   round(sum(idf * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * n_words / mean_words))), 6) AS score
            FROM hits JOIN rarity USING (i) CROSS JOIN totals
            GROUP BY is_packed, part_id, row
        ), ranked AS (
            SELECT is_packed, part_id, row, score
            FROM scored CROSS JOIN (SELECT count(*) AS n_wanted FROM wanted WHERE NOT is_excluded)
            WHERE n_found = n_wanted AND NOT is_excluded
            ORDER BY score DESC, part_id, row
            LIMIT CASE WHEN published.is_plain(query) THEN at_most END
        ), located AS (
            SELECT score, part_id, row, file, place
            FROM (FROM ranked WHERE is_packed) JOIN published.places USING (part_id, row)
            UNION ALL
            SELECT score, part_id, row, part_id, row FROM ranked WHERE NOT is_packed
        )
        SELECT {columns}, score
        FROM located JOIN published.placed t USING (file, place) {names}
        WHERE CASE WHEN published.is_plain(query) THEN true ELSE published.has_phrases(t.text, query) END
        ORDER BY score DESC, part_id, row LIMIT at_most"""
