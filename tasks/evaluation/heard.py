"""What a lake says of one recording, as it is scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import duckdb

from storage.formats.document import DocumentTurn, DocumentUtterance

_WORDS = """
    SELECT start_ms, end_ms, text, local_speaker FROM words
    WHERE recording_id = ? ORDER BY start_ms, word_index"""
_TURNS = """
    SELECT start_ms, end_ms, local_speaker, coalesce(speaker_id, recording_id || '/' || local_speaker), is_exclusive
    FROM turns WHERE recording_id = ? ORDER BY start_ms, end_ms, local_speaker"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was found in one recording; speakers are local."""

    duration_ms: int = 0
    words: tuple[DocumentUtterance, ...] = ()
    """One word each, by time."""
    turns: tuple[DocumentTurn, ...] = ()
    exclusive: tuple[DocumentTurn, ...] = ()
    """Turns of which none overlap."""
    ids: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Speaker ID of each local speaker; who has none is nobody else's equal."""

    @property
    def identified(self) -> tuple[DocumentTurn, ...]:
        """Turns with speaker IDs."""
        return self._with_ids(self.turns)

    @property
    def identified_exclusive(self) -> tuple[DocumentTurn, ...]:
        """Exclusive turns with speaker IDs."""
        return self._with_ids(self.exclusive)

    def _with_ids(self, turns: Sequence[DocumentTurn]) -> tuple[DocumentTurn, ...]:
        return tuple(replace(turn, speaker=self.ids[str(turn.speaker)]) for turn in turns)


def read_heard(catalog: duckdb.DuckDBPyConnection, recording_id: str, duration_ms: int | None) -> Heard:
    """Return what the lake says of a recording; nothing where it failed."""
    words = catalog.execute(_WORDS, [recording_id]).fetchall()
    turns = catalog.execute(_TURNS, [recording_id]).fetchall()
    spoken = [(DocumentTurn(start_ms=a, end_ms=b, speaker=local), one) for a, b, local, _, one in turns]
    return Heard(
        duration_ms=duration_ms or 0,
        words=tuple(DocumentUtterance(start_ms=a, end_ms=b, text=text, speaker=who) for a, b, text, who in words),
        turns=tuple(turn for turn, is_exclusive in spoken if not is_exclusive),
        exclusive=tuple(turn for turn, is_exclusive in spoken if is_exclusive),
        ids={local: speaker_id for _, _, local, speaker_id, _ in turns},
    )
