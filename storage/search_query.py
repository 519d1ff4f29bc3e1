"""What a search asks for: words, beginnings of words, phrases, and what is not wanted.

As in most search boxes::

    coal mine          both words
    "coal mine"        one after the other; so is what is written together, such as well-known
    min*               words that begin so
    -pit -"coal mine"  without these
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

Cut = Callable[[Sequence[str]], Sequence[Sequence[tuple[str, bool]]]]
"""Cuts texts into terms as the index does, and says of each whether it is of a script that writes no spaces."""

_ITEM = re.compile(r'-?"[^"]*"?\*?|[^\s"]+')
_WORD_PARTS = "LMN"
"""Letters, marks and numbers: what terms are made of, by Unicode's categories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What is looked for in the index."""

    term: str
    is_excluded: bool
    is_prefix: bool
    """Whether every term that begins so is meant."""
    followed_by: str | None
    """The term that comes next in a phrase that is wanted; None where none does, or only its beginning is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """What is looked for in the terms of a text, which stand between spaces; its words are looked for as well."""

    text: str
    is_excluded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """A search in parts, all of which are to hold."""

    words: tuple[Word, ...]
    phrases: tuple[Phrase, ...]


def parse_query(query: str, cut: Cut) -> SearchQuery:
    """Return what a person asks for.

    Args:
        query: As typed; whatever it is, it means something, if only nothing.
        cut: How texts are cut.
    """
    words: list[Word] = []
    phrases: list[Phrase] = []
    items = _ITEM.findall(query)
    for item, cut_item in zip(items, cut(items) if items else (), strict=True):
        terms, is_prefix = _terms_of(item, cut_item)
        is_excluded, is_phrase = item.startswith("-"), len(terms) > 1
        if not (is_excluded and is_phrase):  # each word of an excluded phrase may well be there
            words += _words(terms, is_excluded=is_excluded, is_prefix=is_prefix)
        if is_phrase:
            end = "" if is_prefix else " "
            phrases.append(Phrase(text=f" {' '.join(terms)}{end}", is_excluded=is_excluded))
    return SearchQuery(words=tuple(words), phrases=tuple(phrases))


def _words(terms: Sequence[str], *, is_excluded: bool, is_prefix: bool) -> Iterator[Word]:
    """Yield the words of an item; ``is_prefix`` is of the last."""
    last = len(terms) - 1
    whole = terms[:-1] if is_prefix else terms
    for place, (term, following) in enumerate(zip_longest(terms, whole[1:])):
        yield Word(term=term, is_excluded=is_excluded, is_prefix=is_prefix and place == last, followed_by=following)


def _terms_of(item: str, cut_item: Sequence[tuple[str, bool]]) -> tuple[list[str], bool]:
    """Return an item's terms, and whether the last is only the beginning of one.

    Where no spaces are written terms are two characters long and overlap. The last character of a run is in the term
    before it; alone it stands for every term that begins so.
    """
    terms = [term for term, _ in cut_item]
    if not terms or not cut_item[-1][1]:
        return terms, _ends_in_star(item)
    last, before = terms[-1], cut_item[-2] if len(terms) > 1 else ("", False)
    if len(last) == 1 and before[1] and len(before[0]) == 2 and before[0].endswith(last):  # noqa: PLR2004
        return terms[:-1], False
    return terms, len(last) == 1


def _ends_in_star(item: str) -> bool:
    start = item.removesuffix('"')
    if not start.endswith("*"):
        return False
    word = start[:-1].removesuffix('"')
    return bool(word) and unicodedata.category(word[-1])[0] in _WORD_PARTS
