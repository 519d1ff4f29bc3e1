"""The one standard by which words are compared: what is left of a text before errors are counted.

1. Unicode NFKC, then full case folding, then NFKC again.
2. Letters, marks and digits stay. An apostrophe stays between letters or digits, a point or comma between digits.
   Everything else (punctuation, symbols, hyphens, underscores) separates words.
3. In scripts that put no spaces between words, every letter with its marks is a word, so that the word error rate is
   a character error rate there, as is usual for Chinese and Japanese.

Nothing else: numbers are not spelt out, contractions not undone, hesitations and tags not removed.
"""

from __future__ import annotations

import re
import unicodedata

from tasks.attribution.orthography import stands_alone

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u0060\u00b4\u02b9\u2032", "'"))
_INSIDE_WORDS = re.compile(r"(?<=[^\W_])'(?=[^\W_])|(?<=\d)[.,](?=\d)")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:(?:'|(?<=\d)[.,](?=\d))[a-z0-9]+)*")


def plain_words(text: str) -> list[str]:
    """Return the words that are compared.

    >>> plain_words("“Don't!”, she said — well-read, 3.5 times…")
    ["don't", 'she', 'said', 'well', 'read', '3.5', 'times']
    >>> plain_words("今天 Python。")
    ['今', '天', 'python']
    """
    folded = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).casefold()
    folded = unicodedata.normalize("NFKC", folded)
    return _ASCII_WORD.findall(folded) if folded.isascii() else _words(folded)


def _words(folded: str) -> list[str]:
    kept = {found.start() for found in _INSIDE_WORDS.finditer(folded)}
    parts: list[str] = []
    was_alone = False
    for index, character in enumerate(folded):
        kind = unicodedata.category(character)[0]
        if kind == "M" or index in kept:
            parts.append(character)
        elif kind in "LN":
            is_alone = stands_alone(character)
            parts.append(f" {character}" if is_alone or was_alone else character)
            was_alone = is_alone
        else:
            parts.append(" ")
    return "".join(parts).split()
