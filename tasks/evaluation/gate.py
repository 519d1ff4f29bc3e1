"""What an evaluation must keep to: limits on the figures of all recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from storage.errors import ConfigError

if TYPE_CHECKING:
    from tasks.evaluation.figures import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits as shares, so that 0.15 is 15 %; None where there is none."""

    max_der: float | None = None
    """Fail if the diarization error rate is higher, as `0.15`."""
    max_der_collar: float | None = None
    """Fail if the diarization error rate with collars is higher."""
    max_jer: float | None = None
    """Fail if the Jaccard error rate is higher."""
    max_wer: float | None = None
    """Fail if the word error rate is higher."""
    max_cpwer: float | None = None
    """Fail if the cpWER is higher."""
    max_tcpwer: float | None = None
    """Fail if the tcpWER is higher."""
    max_wder: float | None = None
    """Fail if more of the recognised words have the wrong speaker."""
    max_archive_der: float | None = None
    """Fail if the diarization error rate with one mapping of persons for the whole archive is higher."""
    min_bcubed: float | None = None
    """Fail if B-cubed F1 of speaker IDs is lower."""
    max_missing: int | None = None
    """Fail if more references are about no recording of the lake."""

    def __post_init__(self) -> None:
        """Refuse limits that no figure could break.

        Raises:
            ConfigError: a percentage where a share is meant, or a number below zero.
        """
        for limit in fields(self):
            value = getattr(self, limit.name)
            most = float("inf") if limit.name == "max_missing" else 1
            if value is not None and not 0 <= value <= most:
                remedy = "give a share from 0 to 1, as 0.15 for 15 %" if most == 1 else "give 0 or more"
                raise ConfigError(f"limit {limit.name}", f"{value:g} can be no limit", remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """How an evaluation ended."""

    n_recordings: int
    n_missing: int
    broken: tuple[str, ...]
    """A line for each limit that is not kept."""


def broken(limits: Limits, figures: Sequence[Figure], n_missing: int) -> tuple[str, ...]:
    """Return a line for each limit that is not kept; a figure that nothing tells of keeps none.

    Args:
        limits: What must be kept.
        figures: Of all recordings; others are not looked at.
        n_missing: References that are about no recording.
    """
    value_of: dict[str, float | None] = {one.figure: one.value for one in figures if one.scope == "all"}
    value_of["missing"] = n_missing
    lines = []
    for limit in fields(limits):
        bound = getattr(limits, limit.name)
        kind, _, figure = limit.name.partition("_")
        if bound is None:
            continue
        value = value_of.get(figure)
        word = "above" if kind == "max" else "below"
        if value is None:
            lines.append(f"{figure} cannot be told from these references; the limit is {bound:g}")
        elif value > bound if kind == "max" else value < bound:
            lines.append(f"{figure} is {value:.4g}, {word} the limit of {bound:g}")
    return tuple(lines)
