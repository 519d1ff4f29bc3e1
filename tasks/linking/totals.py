"""What groups of voices come to, and what of it counts: numbers of each, but for the sums of their vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.linking.voices import IntArray, ScoreArray, VoiceScale

_DRIFT = 0.02
"""Variance of what many voices of one person share by chance of how they were found, that of persons being 1: however
many there are, their mean says no more precisely where the person is."""


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """What groups come to, but for the sum of their vectors."""

    weights: ScoreArray
    """Sum of the factors of the unit vectors in the sum."""
    precision: ScoreArray
    """Sum of inverse noises."""
    squares: ScoreArray
    """Squared length of the centred sum."""

    def take(self, rows: IntArray) -> Totals:
        """Return those of some groups."""
        return Totals(self.weights[rows], self.precision[rows], self.squares[rows])

    def with_(self, more: Totals) -> Totals:
        """Return these and, after them, more."""
        return Totals(
            np.concatenate([self.weights, more.weights]),
            np.concatenate([self.precision, more.precision]),
            np.concatenate([self.squares, more.squares]),
        )

    def put(self, rows: IntArray, totals: Totals) -> None:
        """Change those of some groups."""
        self.weights[rows], self.precision[rows], self.squares[rows] = totals.weights, totals.precision, totals.squares


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What is compared: totals as far as they tell where the person is."""

    stretch: ScoreArray
    """By which dot products of the sum are to be multiplied."""
    weights: ScoreArray
    precision: ScoreArray
    squares: ScoreArray
    evidence: ScoreArray

    def take(self, rows: IntArray) -> Reading:
        """Return that of some groups."""
        return Reading(
            self.stretch[rows], self.weights[rows], self.precision[rows], self.squares[rows], self.evidence[rows]
        )

    def put(self, rows: IntArray, reading: Reading) -> None:
        """Change that of some groups."""
        self.stretch[rows], self.weights[rows], self.precision[rows] = (
            reading.stretch,
            reading.weights,
            reading.precision,
        )
        self.squares[rows], self.evidence[rows] = reading.squares, reading.evidence


def totals_of(noise: ScoreArray, scale: VoiceScale) -> Totals:
    """Return what single voices come to, of their noise relative to that of persons."""
    return Totals(
        weights=np.sqrt((1 + noise) / (1 - scale.offset)) / noise, precision=1 / noise, squares=(1 + noise) / noise**2
    )


def reading_of(totals: Totals, scale: VoiceScale, stretch: ScoreArray | float = 1.0) -> Reading:
    """Return what totals tell.

    Args:
        totals: Of groups.
        scale: What cosines mean.
        stretch: By which the sum is to be multiplied, to be that of these totals.
    """
    drifted = 1 / (1 + _DRIFT * totals.precision)
    precision, squares = totals.precision * drifted, totals.squares * drifted**2
    return Reading(
        stretch=stretch * drifted,
        weights=totals.weights * drifted,
        precision=precision,
        squares=squares,
        evidence=scale.evidence(squares, precision),
    )
