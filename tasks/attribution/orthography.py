"""How languages write words into lines: where a sentence ends, and where a space belongs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from tasks.attribution.columns import BoolArray

_UNSPACED_LANGUAGES = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my", "bo"})
_UNSPACED = (
    r"\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan, Myanmar, Khmer
    r"\u3000-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"  # kana, Han, full-width marks; not Hangul
)

_END_MARKS = ".?!…。？！｡؟۔।॥։።"
_CLOSERS = "\"')]}»›”’」』】）"
_IS_ABBREVIATION = re.compile(r"(?!i)[^\W\d_]\.|(?:\w+\.){2,}|(?:mr|mrs|ms|dr|prof|st|vs|etc)\.", re.IGNORECASE)

_BEFORE_CLOSING = re.compile(
    r" (?=[.,;:!?%…،؛؟۔।॥)\]}”。，、！？：；）」』】]|['’](?:s|t|d|m|re|ve|ll)\b|-[^\W\d_])", re.IGNORECASE
)
_AFTER_OPENING = re.compile(r"(?<=[(\[{¿¡（「『【]) ")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_BETWEEN_UNSPACED = re.compile(f"(?<=[{_UNSPACED}]) (?=[{_UNSPACED}])")
_BESIDE_UNSPACED = re.compile(f"(?<=[{_UNSPACED}]) | (?=[{_UNSPACED}])")


def sentence_ends(texts: Iterable[str]) -> BoolArray:
    """Return for each word whether its text closes a sentence; an abbreviation's full stop does not.

    >>> sentence_ends(["Yes.", "Mr.", "J.", "e.g.", "why?”", "3.5", ""]).tolist()
    [True, False, False, False, True, False, False]
    """
    return np.fromiter((_ends_sentence(text) for text in texts), np.bool_)


def _ends_sentence(text: str) -> bool:
    last = text[-1:]
    if last.isalnum() or not last:
        return False
    bare = text.strip().rstrip(_CLOSERS)
    return bare[-1:] in _END_MARKS and bare != "" and not _IS_ABBREVIATION.fullmatch(bare)


def join_words(texts: Sequence[str], language: str | None = None) -> str:
    """Return the words as the language writes them.

    Spaces between words, none in Chinese, Japanese, Thai and their like (told by the letters where ``language`` is
    unknown); punctuation, contractions and hyphenated endings attach to the word before them.

    >>> join_words(["Well", ",", "it", "'s", " fine", "."])
    "Well, it's fine."
    >>> join_words(["今天", "用", "Python", "。"], "zh")
    '今天用Python。'
    """
    line = " ".join(" ".join(texts).split())
    line = _AFTER_OPENING.sub("", _BEFORE_CLOSING.sub("", line))
    if line.isascii():
        return line
    return (_BESIDE_UNSPACED if language in _UNSPACED_LANGUAGES else _BETWEEN_UNSPACED).sub("", line)


def stands_alone(letter: str) -> bool:
    """Return whether a letter is of a script that puts no spaces between words, so that nobody sees where one ends.

    >>> stands_alone("語"), stands_alone("á"), stands_alone("한")
    (True, False, False)
    """
    return _IS_UNSPACED.match(letter) is not None
