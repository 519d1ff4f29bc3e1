"""Recipes: the hash that says how a stage was done.

Two runs that would write the same facts have the same recipe; anything that changes a stage's result changes it,
and with it the recipes of the stages that follow.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from storage.store import json_bytes

Stage = Literal["probe", "transcribe", "diarize", "fingerprint"]
STAGES: tuple[Stage, ...] = ("probe", "transcribe", "diarize", "fingerprint")
"""The stages whose results are facts, in order."""

CHOSEN_STAGES: tuple[Stage, ...] = ("transcribe", "diarize")
"""The stages of which a recording may have several opinions, one of them published."""

REJECTED = "rejected"
"""Marks, under the recipe of probe, a recording of which nothing can be decoded: no stage is ever missing of it."""

_RECIPE_DIGITS = 16


def recipe(stage: str, schema_version: int, *ingredients: object) -> str:
    """Return the recipe of a stage, 16 hex digits.

    Args:
        stage: Name of the stage.
        schema_version: Version of the tables that the stage writes.
        ingredients: All else that decides the result, as JSON values: engine identity, options, hints, the recipe
            of the stage before.

    >>> recipe("probe", 1, {"a": 1, "b": 2}) == recipe("probe", 1, {"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json_bytes([stage, schema_version, *ingredients])).hexdigest()[:_RECIPE_DIGITS]
