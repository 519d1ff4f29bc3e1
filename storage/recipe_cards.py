"""What recipes stand for, in words: ``recipes/<recipe>.json``, written once by the run that is to follow it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from storage.lake import Lake
from storage.recipes import Stage
from storage.store import json_bytes

_FOLDER = "recipes"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeCard:
    """How a stage is done; the recipe is the hash of the rest."""

    recipe: str
    stage: Stage
    engine: str
    version: str
    weights: str
    options: str
    """Canonical JSON of the engine's options that change results."""
    given: str
    """JSON of what the engine is told besides: language, number of speakers, chunks."""
    after: str | None
    """Recipe of the stage before; None of probe."""


def write_cards(lake: Lake, cards: Iterable[RecipeCard]) -> None:
    """Write the cards that are not there yet."""
    known = set(lake.store.list(_FOLDER))
    for card in cards:
        if f"{card.recipe}.json" not in known:
            lake.store.create(f"{_FOLDER}/{card.recipe}.json", json_bytes(asdict(card)))


def read_cards(lake: Lake) -> Mapping[str, RecipeCard]:
    """Return all cards by recipe; recipes of lakes that 0.3 wrote have none until a run asks for them again."""
    cards = (RecipeCard(**card) for card in lake.store.read_jsons(_FOLDER).values())
    return {card.recipe: card for card in cards}
