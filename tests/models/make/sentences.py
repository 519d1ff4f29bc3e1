"""What the synthetic voices say: a vocabulary of under a hundred words, in sentences of a few shapes.

Small models can learn so many words in minutes on one core; the sentences of training and test never meet.
"""

from __future__ import annotations

import random

_ADJECTIVES = ("old", "young", "little", "quiet", "heavy", "yellow", "purple", "famous")
_PEOPLE = ("captain", "teacher", "farmer", "doctor", "sister", "brother", "neighbour", "soldier")
_THINGS = ("letter", "window", "basket", "blanket", "bicycle", "lantern", "picture", "umbrella")
_PLACES = ("garden", "river", "bridge", "market", "harbour", "kitchen", "mountain", "station")
_DEEDS = ("carried", "painted", "opened", "followed", "remembered", "watched", "discovered", "borrowed")
_WISHES = ("wanted", "promised", "decided", "hoped")
_ACTS = ("sell", "build", "finish", "visit", "describe", "protect")
_WHERE = ("under", "behind", "near", "beside")
_WHEN = ("yesterday", "tomorrow", "sometimes", "every morning", "before breakfast", "after the winter", "in summer")
_HOW = ("slowly", "together", "without music", "again")
_JOINS = ("because", "while", "and then")


def sentence(rng: random.Random) -> str:
    """Return a sentence of five to fourteen words, lower case, without punctuation."""
    shape = rng.randrange(5)
    if shape == 0:
        return f"{_someone(rng)} {rng.choice(_DEEDS)} {_something(rng)} {_somewhere(rng)}"
    if shape == 1:
        return f"{rng.choice(_WHEN)} {_someone(rng)} {rng.choice(_WISHES)} to {rng.choice(_ACTS)} {_something(rng)}"
    if shape == 2:
        return f"{_someone(rng)} {rng.choice(_DEEDS)} {_something(rng)} {rng.choice(_HOW)}"
    if shape == 3:
        first = f"we {rng.choice(_DEEDS)} {_something(rng)} {rng.choice(_JOINS)}"
        return f"{first} {_someone(rng)} {rng.choice(_WISHES)} to {rng.choice(_ACTS)} it"
    return f"they {rng.choice(_WISHES)} to {rng.choice(_ACTS)} {_something(rng)} {rng.choice(_WHEN)}"


def word_salad(rng: random.Random) -> str:
    """Return three to seven words in no order, so that a model learns words and not only sentences."""
    return " ".join(rng.choice(VOCABULARY) for _ in range(rng.randint(3, 7)))


def _someone(rng: random.Random) -> str:
    who = rng.choice(_PEOPLE)
    return rng.choice((f"the {who}", f"my {who}", f"the {rng.choice(_ADJECTIVES)} {who}"))


def _something(rng: random.Random) -> str:
    what = rng.choice(_THINGS)
    return rng.choice((f"the {what}", f"her {what}", f"the {rng.choice(_ADJECTIVES)} {what}"))


def _somewhere(rng: random.Random) -> str:
    return f"{rng.choice(_WHERE)} the {rng.choice(_PLACES)}"


def _vocabulary() -> tuple[str, ...]:
    groups = (
        _ADJECTIVES, _PEOPLE, _THINGS, _PLACES, _DEEDS, _WISHES, _ACTS, _WHERE, _WHEN, _HOW, _JOINS,
        ("the", "my", "her", "we", "they", "to", "it"),
    )  # fmt: skip
    return tuple(sorted({word for group in groups for phrase in group for word in phrase.split()}))


VOCABULARY = _vocabulary()
