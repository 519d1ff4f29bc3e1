"""Lakes without a lake: fingerprints of made-up people as tables, linked as the link stage does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from storage.enrolled import EnrolledVoice
from storage.records import SpeakerBounds
from storage.schemas import FACTS, WHOLES, table_of
from tasks.linking.addition import Additions
from tasks.linking.constraints import NO_CONSTRAINTS, Constraints
from tasks.linking.labels import by_model
from tasks.linking.local import LocalLinkOptions
from tasks.linking.outcome import Outcome
from tasks.linking.speaker_table import speaker_table
from tasks.linking.speakers import LinkOptions
from tasks.linking.whole import WholeLink
from tests.voices import Row

SMALL = LinkOptions(whole_below=0, most_growth=100.0)
"""Lakes of any size are added to."""


def fingerprints(rows: Sequence[Row], model: str = "made-up") -> pa.Table:
    """Return rows as facts."""
    return table_of(
        [
            {
                "recording_id": recording,
                "channel": channel,
                "chunk_index": chunk,
                "label": label,
                "model": model,
                "start_ms": 600_000 * chunk + 100 * sum(map(ord, label)),
                "turn_ms": ms + 500,
                "speech_ms": ms,
                "recipe": "recipe",
                "run_id": "run",
                "vector": None if vector is None else vector.tolist(),
            }
            for recording, channel, chunk, label, vector, ms in rows
        ],
        FACTS["fingerprints"],
    )


@dataclass
class Published:
    """What a lake would have published of an outcome."""

    number: int = 0
    outcome: Outcome | None = None
    speakers: pa.Table = field(default_factory=WHOLES["speakers"].empty_table)

    def table(self, name: str) -> pa.Table:
        return getattr(self.outcome, name)

    @property
    def memory(self) -> Mapping[str, pa.Table] | None:
        return self.outcome.memory if self.outcome else None

    @property
    def links(self) -> pa.Table:
        return self.outcome.links

    @cached_property
    def since(self) -> dict[str, int]:
        return {row["speaker_id"]: row["since"] for row in self.speakers.to_pylist()}

    @cached_property
    def id_of_local(self) -> dict[tuple[str, str], str]:
        rows = self.links.to_pylist() if self.outcome else []
        return {(row["recording_id"], row["local_speaker"]): row["speaker_id"] for row in rows if row["speaker_id"]}

    def then(self, outcome: Outcome, forgotten: frozenset[str] = frozenset()) -> Published:
        """Publish another outcome."""
        dates = pa.table({"recording_id": pa.array([], pa.string()), "recorded_at": pa.array([], pa.string())})
        speakers = speaker_table(
            outcome.links,
            dates,
            self.speakers,
            outcome.events,
            number=self.number + 1,
            forgotten=forgotten,
            fragment_ms=LinkOptions().fragment_ms,
        )
        return Published(self.number + 1, outcome, speakers)


def link_whole(
    labels: pa.Table,
    published: Published | None = None,
    *,
    options: LinkOptions = SMALL,
    constraints: Constraints = NO_CONSTRAINTS,
    enrolled: Sequence[EnrolledVoice] = (),
    bounds: Mapping[str, SpeakerBounds] | None = None,
) -> Outcome:
    """Link everything."""
    stage = WholeLink(
        published=published or Published(),
        decided=SimpleNamespace(constraints=lambda labels, local: (constraints, ())),
        enrolled=enrolled,
        bounds=bounds or {},
        local_options=LocalLinkOptions(),
        options=options,
        basis="basis",
    )
    return stage.link(by_model(labels))[0]


def link_addition(
    labels: pa.Table, published: Published, *, apart: Sequence[tuple[set[str], set[str]]] = (), **changes: Any
) -> Outcome | None:
    """Link what is new, some of the known being different people."""
    decided = SimpleNamespace(different_people=lambda _: apart)
    known = {
        "decided": decided,
        "bounds": {},
        "local_options": LocalLinkOptions(),
        "options": SMALL,
        "basis_before": "basis",
    }
    return Additions(published=published, **{**known, "basis": "basis", **changes}).link(labels)


def speaker_of(outcome: Outcome) -> dict[tuple[str, str], str | None]:
    """Return the ID of each local speaker."""
    return {(row["recording_id"], row["local_speaker"]): row["speaker_id"] for row in outcome.links.to_pylist()}


def shuffled(table: pa.Table, seed: int) -> pa.Table:
    """Return the rows in any order and in any pieces."""
    rng = np.random.default_rng(seed)
    order, cuts = rng.permutation(len(table)), np.sort(rng.integers(0, len(table) + 1, 3))
    return pa.concat_tables([table.take(part) for part in np.split(order, cuts)])
