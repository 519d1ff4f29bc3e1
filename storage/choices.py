"""Which recipes people chose to see: one JSON object per choice, only ever added to.

    choices/<choice_id>.json

The latest run decides what is published of a recording, unless somebody chose. Of several choices the latest counts of
which the recording has facts, so that a choice for one language and a choice for another stand side by side.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import pyarrow as pa

from storage.lake import Lake
from storage.lake_records import Publication
from storage.recipes import Stage
from storage.schemas import WHOLES, table_of
from storage.store import json_bytes

_FOLDER = "choices"
_ID_DIGITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeChoice:
    """A recipe that is to be published wherever it was followed."""

    choice_id: str
    at: datetime
    stage: Stage
    recipe: str | None
    """None takes back all earlier choices of the stage."""
    after: str | None
    """Recipe of probe that it follows: the choice is about recordings cut into chunks in that way."""


def record_choice(lake: Lake, stage: Stage, recipe: str | None, after: str | None) -> RecipeChoice:
    """Add a choice; it counts from the next link on."""
    choice_id = f"cho_{uuid.uuid4().hex[:_ID_DIGITS]}"
    choice = RecipeChoice(choice_id=choice_id, at=datetime.now(UTC), stage=stage, recipe=recipe, after=after)
    event = {**asdict(choice), "at": choice.at.isoformat()}
    lake.store.create(f"{_FOLDER}/{choice_id}.json", json_bytes(event))
    return choice


def choice_ids(lake: Lake) -> frozenset[str]:
    """Return the IDs of all choices ever made, by one listing."""
    return frozenset(name.removesuffix(".json") for name in lake.store.list(_FOLDER))


def read_choices(lake: Lake) -> tuple[RecipeChoice, ...]:
    """Return all choices, oldest first; in a lake without any by one listing."""
    events = lake.store.read_jsons(_FOLDER).values()
    return _ordered(RecipeChoice(**{**event, "at": datetime.fromisoformat(event["at"])}) for event in events)


def choices_table(choices: Iterable[RecipeChoice]) -> pa.Table:
    """Return choices as the published table of them."""
    return table_of([asdict(choice) for choice in choices], WHOLES["choices"])


def choices_of(table: pa.Table) -> tuple[RecipeChoice, ...]:
    """Return the choices of such a table, oldest first."""
    return _ordered(RecipeChoice(**row) for row in table.to_pylist())


def published_choice_ids(lake: Lake, publication: Publication) -> frozenset[str]:
    """Return the IDs of the choices that a publication respects."""
    return frozenset(lake.whole(publication, "choices")["choice_id"].to_pylist())


def standing(choices: Iterable[RecipeChoice], stage: Stage) -> tuple[RecipeChoice, ...]:
    """Return a stage's choices that count, the latest first."""
    counting: list[RecipeChoice] = []
    for choice in choices:
        if choice.stage == stage:
            counting = [choice, *counting] if choice.recipe else []
    return tuple(counting)


def _ordered(choices: Iterable[RecipeChoice]) -> tuple[RecipeChoice, ...]:
    return tuple(sorted(choices, key=lambda choice: (choice.at, choice.choice_id)))
