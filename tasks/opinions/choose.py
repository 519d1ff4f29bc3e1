"""The recipes of a lake as people see them, and the choice of those that are published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.choices import record_choice
from storage.errors import ConfigError
from storage.recipe_cards import read_cards
from storage.recipes import STAGES, Stage
from tasks.opinions.pairs import find_recipe, read_opinions

Row = dict[str, Any]


def recipe_rows(lake_url: str) -> list[Row]:
    """Return the view ``recipes`` by stage, in the order of the work, what was done last first."""
    with open_catalog(lake_url) as catalog, asking(lake_url):
        rows: list[Row] = catalog.execute("FROM recipes ORDER BY last_done DESC, recipe").to_arrow_table().to_pylist()
    return sorted(rows, key=lambda row: STAGES.index(row["stage"]))


def choose_recipes(lake_url: str, said: Sequence[str]) -> list[str]:
    """Choose recipes: what recordings have of them is published from the next link on. Return them in full.

    Args:
        lake_url: The lake.
        said: Beginnings of recipes of transcribe or diarize; of several that a recording has, the last counts.

    Raises:
        ConfigError: there is no lake, or a recipe is not in it.
    """
    lake, state = read_opinions(lake_url)
    cards = read_cards(lake)
    found = [find_recipe(state, one) for one in said]
    for _, recipe in found:
        if recipe not in cards:
            raise ConfigError(
                f"recipe {recipe}",
                "is of a version that did not say what recipes stand for",
                "run once more with its engines; nothing is done again",
            )
    for stage, recipe in found:
        record_choice(lake, stage, recipe, cards[recipe].after)
    return [recipe for _, recipe in found]


def take_choices_back(lake_url: str, stages: Sequence[Stage]) -> None:
    """Let the latest run decide again what is published of these stages, from the next link on.

    Raises:
        ConfigError: there is no lake.
    """
    lake, _ = read_opinions(lake_url)
    for stage in stages:
        record_choice(lake, stage, None, None)
