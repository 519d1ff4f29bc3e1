"""Finds text that repeats itself as recognisers do when they lose their place, in any language."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from tasks.attribution.columns import BoolArray, IntArray, WordTimes

LONGEST_PHRASE = 12
"""Words of the longest phrase whose repeats are looked for."""
FEWEST_REPEATS = 4
FEWEST_WORDS = 8
"""A phrase that follows itself is a loop from so many times, and so many words in all; people do say "no, no, no"."""
LONGEST_PAUSE_MS = 2_000
"""A longer pause ends a loop: who answers "yes" to eight questions does not repeat themselves."""
MAX_COMPRESSION = 2.4
"""Whisper's own limit for how much smaller a text may be compressed (Radford et al. 2022, section 4.5)."""

_LETTERS = 256


def looping(words: WordTimes, texts: Sequence[str]) -> BoolArray:
    """Return for each word whether it is part of a loop, shape ``(n_words,)``.

    A loop is a phrase of 1 to ``LONGEST_PHRASE`` words that follows itself without another word or a long pause in
    between, whoever is taken to say it. Case, punctuation and words without letters or digits do not count.
    """
    in_loop = np.zeros(len(texts), np.bool_)
    code = _codes(texts)
    order = np.lexsort((words.end_ms, words.start_ms, words.channel))
    order = order[code[order] >= 0]
    code, channel = code[order], words.channel[order]
    pauses_ms = words.start_ms[order][1:] - words.end_ms[order][:-1]
    is_cut = (channel[1:] != channel[:-1]) | (pauses_ms > LONGEST_PAUSE_MS)
    stretch = np.concatenate([[0], np.cumsum(is_cut)])
    for length in range(1, min(LONGEST_PHRASE, len(code) // FEWEST_REPEATS) + 1):
        is_again = (code[length:] == code[:-length]) & (stretch[length:] == stretch[:-length])
        in_loop[order[_covered(is_again, length)]] = True
    return in_loop


def compression(text: str) -> float:
    """Return how many times smaller zlib makes the text, a byte for each character.

    With a byte for each, what the text repeats is measured and not how many bytes its script takes; a text of more
    than 256 different characters does not repeat itself and counts as 1.
    """
    letters = {letter: code for code, letter in enumerate(dict.fromkeys(text))}
    if not text or len(letters) > _LETTERS:
        return 1.0
    coded = bytes(map(letters.__getitem__, text))
    return len(coded) / len(zlib.compress(coded))


def _codes(texts: Sequence[str]) -> IntArray:
    """Return a number for each word, equal for words that read the same; -1 for one without letters or digits."""
    known: dict[str, int] = {"": -1}
    code_of = {}
    for text in dict.fromkeys(texts):
        plain = "".join(filter(str.isalnum, text.casefold()))
        code_of[text] = known.setdefault(plain, len(known))
    return np.fromiter((code_of[text] for text in texts), np.int64, len(texts))


def _covered(is_again: BoolArray, length: int) -> IntArray:
    """Return the places of words in loops of phrases of one length.

    Args:
        is_again: whether each word is said again ``length`` words later.
        length: words of the phrase.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_again, [0]])))
    first, n_words = edges[::2], edges[1::2] - edges[::2] + length
    is_loop = (n_words // length >= FEWEST_REPEATS) & (n_words >= FEWEST_WORDS)
    places = [np.arange(start, start + n) for start, n in zip(first[is_loop], n_words[is_loop], strict=True)]
    return np.concatenate(places) if places else np.empty(0, np.int64)
