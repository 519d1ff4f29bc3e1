"""Sampling at a temperature that gives the same words whenever and wherever it is done.

CTranslate2 samples too, but each of its threads seeds its generator once, so what it draws depends on everything it
drew before. Here the library only foretells: it goes on greedily from what was chosen so far and returns its scores.
Chance, from a generator of our own, is applied to the scores; as long as it agrees with the greedy choice, what was
foretold holds, and the library is asked again only where it does not. The outcome is that of sampling token by token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Foretell = Callable[[Sequence[int]], Sequence[Any]]
"""From the tokens so far to the scores, unnormalised, of the next ones, each following on the likeliest before it."""

_SEED = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """A text by chance."""

    tokens: tuple[int, ...]
    """Without the one that ends it."""
    logprob: float
    """Mean log-probability of the tokens and the end, before the temperature."""


def sample(foretell: Foretell, temperature: float, draw: int, *, end: int, longest: int) -> Sample:
    """Return the text that chance makes of the scores.

    Args:
        foretell: Gives scores; none where the model has no room for more.
        temperature: Above 0; the higher, the more chance.
        draw: Number of the attempt; each has chances of its own.
        end: Token that ends a text; those after it are no text, and never chosen.
        longest: Tokens at most.
    """
    chance = np.random.default_rng([_SEED, draw, round(temperature * 1000)])
    tokens: list[int] = []
    total = 0.0
    while len(tokens) < longest:
        rows = foretell(tokens)
        if not rows:
            break
        for row in rows:
            scores = np.asarray(row, dtype=np.float64)
            text = scores[: end + 1]
            choice = int((text / temperature + chance.gumbel(size=len(text))).argmax())
            total += _log_softmax_at(scores, choice)
            if choice == end:
                return Sample(tuple(tokens), total / (len(tokens) + 1))
            tokens.append(choice)
            if choice != int(scores.argmax()) or len(tokens) == longest:
                break
    return Sample(tuple(tokens), total / (len(tokens) + 1))


def _log_softmax_at(scores: np.ndarray[Any, np.dtype[np.float64]], choice: int) -> float:
    shifted = scores - scores.max()
    return float(shifted[choice] - np.log(np.exp(shifted).sum()))
