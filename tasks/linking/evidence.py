"""How much speaks for two groups of voices being one person, in nats.

The model is the simplest that has a person in it (two-covariance PLDA with equal directions; Brümmer and de Villiers
2010, "The speaker partitioning problem"): a voice is a person's point plus noise, both spherical in ``dimensions``
directions. A group is then known by the sum of its vectors and by its precision, two groups are compared by one dot
product, and what they say together grows with the speech behind them. Vectors are taken at the length that the model
expects (Garcia-Romero and Espy-Wilson 2011). Noise has heavy tails (as in Kenny's heavy-tailed PLDA, 2010): one voice
in ten is expected to be much noisier than its speech tells, so that an odd voice may still come to its person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from storage.records import FloatArray
from tasks.linking.totals import Reading, Totals, reading_of, totals_of
from tasks.linking.voices import BoolArray, IntArray, ScoreArray, VoiceScale

_ODD = 0.1
"""Share of voices that are noisier than their speech tells."""
_ODD_NOISE = 3.0
"""Times the noise that they have."""
_BLOCK_PAIRS = 2_048


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownGroups:
    """Groups as they are kept between runs, one row each."""

    sums: FloatArray
    """Vectors times their weights, shape ``(n, dim)``."""
    weights: ScoreArray
    precision: ScoreArray
    squares: ScoreArray
    is_single: BoolArray
    """Whether it is one voice, which may yet be taken for odd."""


class VoiceGroups:
    """Groups of voices, one row each; a group that was merged into another keeps its row and means nothing."""

    def __init__(self, vectors: FloatArray, noise: ScoreArray, scale: VoiceScale) -> None:
        """Begin with one group per voice.

        Args:
            vectors: Unit rows, finite, shape ``(n, dim)``.
            noise: Variance of each one's noise relative to that of persons, positive, shape ``(n,)``.
            scale: What cosines mean.
        """
        self.scale = scale
        self.is_single = np.ones(len(noise), bool)
        self.is_odd = np.zeros(len(noise), bool)
        """Which of the voices that groups began with have been taken for odd."""
        self._totals = totals_of(noise, scale)
        self._odd = totals_of(_ODD_NOISE * noise, scale)
        self.sums = vectors * self._totals.weights[:, None].astype(np.float32)
        self._read_anew()

    @classmethod
    def restored(cls, known: KnownGroups, scale: VoiceScale) -> VoiceGroups:
        """Return groups as they were when they were kept."""
        groups = cls(np.zeros((len(known.precision), known.sums.shape[1]), np.float32), 1 / known.precision, scale)
        groups.sums = known.sums.copy()
        groups.is_single = known.is_single.copy()
        groups._totals = Totals(known.weights.copy(), known.precision.copy(), known.squares.copy())
        groups._read_anew()
        return groups

    def kept(self, rows: IntArray) -> KnownGroups:
        """Return what is to be kept of groups, for voices that come later."""
        totals = self._totals.take(rows)
        return KnownGroups(
            sums=self.sums[rows],
            weights=totals.weights,
            precision=totals.precision,
            squares=totals.squares,
            is_single=self.is_single[rows],
        )

    def extended(self, vectors: FloatArray, noise: ScoreArray) -> VoiceGroups:
        """Return these groups and, after them, one for each of further voices; arguments as at the beginning."""
        more = VoiceGroups(vectors, noise, self.scale)
        groups = VoiceGroups(np.empty((0, vectors.shape[1]), np.float32), np.empty(0), self.scale)
        groups.sums = np.concatenate([self.sums, more.sums])
        groups.is_single = np.concatenate([self.is_single, more.is_single])
        groups.is_odd = np.concatenate([self.is_odd, more.is_odd])
        groups._totals, groups._odd = self._totals.with_(more._totals), self._odd.with_(more._odd)
        groups._read_anew()
        return groups

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.is_single)

    @property
    def precision(self) -> ScoreArray:
        """Sum of the inverse noises of each group's voices."""
        return self._totals.precision

    def between(self, one: IntArray, other: IntArray) -> ScoreArray:
        """Return log-likelihood ratios, one person against two, for pairs of groups."""
        ratio = np.empty(len(one))
        for block in _blocks(len(one)):
            ratio[block] = np.logaddexp.reduce(self._readings(one[block], other[block]), axis=0)
        return ratio

    def merge(self, kept: IntArray, gone: IntArray) -> None:
        """Add groups to others; ``gone`` has no group twice, ``kept`` may. A voice is from now on what it seems."""
        order = np.argsort(kept, kind="stable")
        kept, gone = kept[order], gone[order]
        likeliest = self._readings(kept, gone).argmax(axis=0)
        self._settle(np.unique(np.concatenate([kept[likeliest == 1], gone[likeliest == 2]])))  # noqa: PLR2004
        self.is_single[kept] = self.is_single[gone] = False
        touched, first = np.unique(kept, return_index=True)
        self.sums[touched] += _sums(self.sums[gone], first)
        for of_group in (self._totals.weights, self._totals.precision):
            of_group[touched] += np.add.reduceat(of_group[gone], first)
        lengths = np.einsum("ij,ij->i", self.sums[touched], self.sums[touched]).astype(np.float64)
        self._totals.squares[touched] = lengths - self.scale.offset * self._totals.weights[touched] ** 2
        self._usual.put(touched, reading_of(self._totals.take(touched), self.scale))

    def joined_by(
        self, vectors: FloatArray, noise: ScoreArray, groups: IntArray, rows: IntArray | None = None
    ) -> ScoreArray:
        """Return log-likelihood ratios of further voices, each with a group: one person against two.

        Args:
            vectors: As at the beginning.
            noise: As at the beginning.
            groups: Row of a group for each voice.
            rows: Which voice each is; each of them once by default.
        """
        found = np.empty(len(groups))
        rows = np.arange(len(groups)) if rows is None else rows
        for block in _blocks(len(groups)):
            some = rows[block]
            dots, whole = _dots(vectors[some], self.sums[groups[block]]), self._usual.take(groups[block])
            usual, odd = (totals_of(times * noise[some], self.scale) for times in (1.0, _ODD_NOISE))
            found[block] = np.logaddexp(
                self._ratio(reading_of(usual, self.scale), whole, dots * usual.weights) + np.log1p(-_ODD),
                self._ratio(reading_of(odd, self.scale), whole, dots * odd.weights) + np.log(_ODD),
            )
        return found

    def left_by(
        self,
        vectors: FloatArray,
        noise: ScoreArray,
        voices: IntArray,
        groups: IntArray,
        rows: IntArray | None = None,
    ) -> ScoreArray:
        """Return for voices and their own groups, each of several voices, the ratio of the voice with the rest.

        Args:
            vectors: As at the beginning, one row for each of ``voices``.
            noise: As at the beginning.
            voices: Row that each voice began as.
            groups: Row of the group that each is part of.
            rows: Which of the vectors each has; each of them once by default.
        """
        found = np.empty(len(voices))
        rows = np.arange(len(voices)) if rows is None else rows
        for block in _blocks(len(voices)):
            some = rows[block]
            whole = self._totals.take(groups[block])
            is_odd = self.is_odd[voices[block]]
            voice = totals_of(noise[some] * np.where(is_odd, _ODD_NOISE, 1.0), self.scale)
            dots = _dots(vectors[some], self.sums[groups[block]]) * voice.weights
            shared = dots - self.scale.offset * voice.weights * whole.weights
            rest = Totals(
                weights=whole.weights - voice.weights,
                precision=np.maximum(whole.precision - voice.precision, 1e-9),
                squares=np.maximum(whole.squares - 2 * shared + voice.squares, 0.0),
            )
            own = voice.weights**2  # the dot product of the voice's weighted vector with itself
            odds = np.where(is_odd, np.log(_ODD), np.log1p(-_ODD))
            found[block] = self._ratio(reading_of(voice, self.scale), reading_of(rest, self.scale), dots - own) + odds
        return found

    def _readings(self, one: IntArray, other: IntArray) -> ScoreArray:
        """Return the ratio with both as usual, with the first odd, and with the second odd, each with its odds."""
        dots = _dots(self.sums[one], self.sums[other])
        first, second = self._usual.take(one), self._usual.take(other)
        is_single = self.is_single[one], self.is_single[other]
        odds = [np.log1p(-_ODD) * single for single in is_single]
        found = np.full((3, len(one)), -np.inf)
        found[0] = self._ratio(first, second, dots) + odds[0] + odds[1]
        for at, groups, others in ((0, one, second), (1, other, first)):
            some = np.flatnonzero(is_single[at])
            odd = self._ratio(self._odd_reading.take(groups[some]), others.take(some), dots[some])
            found[at + 1, some] = odd + np.log(_ODD) + odds[1 - at][some]
        return found

    def _ratio(self, one: Reading, other: Reading, dots: ScoreArray) -> ScoreArray:
        """Return log-likelihood ratios of groups whose sums have those dot products."""
        centred = dots * (one.stretch * other.stretch) - self.scale.offset * (one.weights * other.weights)
        together = self.scale.evidence(one.squares + other.squares + 2 * centred, one.precision + other.precision)
        ratio: ScoreArray = together - one.evidence - other.evidence
        return ratio

    def _read_anew(self) -> None:
        self._usual = reading_of(self._totals, self.scale)
        self._odd_reading = reading_of(self._odd, self.scale, self._odd.weights / self._totals.weights)

    def _settle(self, rows: IntArray) -> None:
        """Take some single voices for odd."""
        odd = self._odd.take(rows)
        self.sums[rows] *= (odd.weights / self._totals.weights[rows])[:, None].astype(np.float32)
        self._totals.put(rows, odd)
        self._usual.put(rows, reading_of(odd, self.scale))
        self.is_single[rows] = False
        self.is_odd[rows] = True


def _sums(rows: FloatArray, first: IntArray) -> FloatArray:
    """Return sums of consecutive rows, each from a first one to the next."""
    from scipy.sparse import csr_array

    parts = np.ones(len(rows), np.float32), np.arange(len(rows)), np.append(first, len(rows))
    sums: FloatArray = csr_array(parts, shape=(len(first), len(rows))) @ rows
    return sums


def _dots(one: FloatArray, other: FloatArray) -> ScoreArray:
    dots: ScoreArray = np.einsum("ij,ij->i", one, other, dtype=np.float32).astype(np.float64)
    return dots


def _blocks(count: int) -> Iterator[slice]:
    return (slice(low, low + _BLOCK_PAIRS) for low in range(0, count, _BLOCK_PAIRS))
