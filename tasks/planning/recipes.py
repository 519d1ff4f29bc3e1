"""The recipes of a run: for each recording, the hash of how each of its stages is to be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.recipe_cards import RecipeCard
from storage.recipes import Stage, recipe
from storage.records import ChannelMode, SourceHints
from storage.schemas import SCHEMA_VERSION
from storage.store import json_bytes
from tasks.engines import registry
from tasks.engines.registry import EngineKind
from tasks.planning.spec import RunSpec, to_plain

_CUTTING_RULES = 1
"""Raised when ``tasks.audio.chunking`` cuts the same sound otherwise, or hears it otherwise."""
_FINGERPRINT_RULES = 2
"""Raised when ``tasks.stages.fingerprint`` makes something else of the same turns."""


class RecipeBook:
    """Recipes by a recording's hints; engines are identified once, none is loaded."""

    def __init__(self, spec: RunSpec) -> None:
        """Identify the engines.

        Raises:
            ConfigError: an engine is unknown, not installed, or its options are wrong.
        """
        self._spec = spec
        self._identities: dict[str, Mapping[str, Any]] = {kind: self._identify(kind) for kind in registry.KINDS}
        self._known: dict[SourceHints, Mapping[Stage, str]] = {}
        self._latest: tuple[SourceHints | None, Mapping[Stage, str]] = (None, {})
        self._cards: dict[str, RecipeCard] = {}

    def of(self, hints: SourceHints) -> Mapping[Stage, str]:
        """Return the recipe of each stage for a recording with those hints."""
        latest, recipes = self._latest
        if hints is latest:  # of most archives nothing is known, the same of each recording
            return recipes
        if hints not in self._known:
            self._known[hints] = self._stages(hints)
        self._latest = (hints, self._known[hints])
        return self._known[hints]

    def fingerprint_after(self, diarize: str) -> str:
        """Return the recipe of fingerprints of the turns that a recipe of diarize makes."""
        return self._follow("fingerprint", "embedder", {"rules": _FINGERPRINT_RULES}, after=diarize)

    def cards(self) -> tuple[RecipeCard, ...]:
        """Return what the recipes that were asked for stand for."""
        return tuple(self._cards.values())

    def embedder_model(self) -> str:
        """Return what fingerprints carry as their model: vectors of different models are never compared."""
        identity = self._identities["embedder"]
        return f"{identity['name']}/{identity['weights']}"

    def identities(self) -> Mapping[str, Mapping[str, Any]]:
        """Return each engine's identity as JSON values, by kind."""
        return self._identities

    def _identify(self, kind: EngineKind) -> Mapping[str, Any]:
        choice = self._spec.choice(kind)
        return dict(to_plain(registry.find(kind, choice.name).identify(choice.options)))

    def _stages(self, hints: SourceHints) -> Mapping[Stage, str]:
        mode = resolve_channel_mode(self._spec, hints)
        language = hints.language or self._spec.language
        cutting = {"cutting_rules": _CUTTING_RULES, "chunking": to_plain(self._spec.chunking), "channel_mode": mode}
        probe = self._follow("probe", "detector", cutting)
        diarize = self._follow("diarize", "diarizer", {"speakers": to_plain(hints.speakers)}, after=probe)
        return {
            "probe": probe,
            "transcribe": self._follow(
                "transcribe", "transcriber", {"language": language, **self._second_try()}, after=probe
            ),
            "diarize": diarize,
            "fingerprint": self.fingerprint_after(diarize),
        }

    def _second_try(self) -> Mapping[str, Any]:
        """Return what a second try adds to a recipe; without one, recipes are as if there were none."""
        return {"second_try": to_plain(self._spec.second_try)} if self._spec.second_try.enabled else {}

    def _follow(self, stage: Stage, kind: EngineKind, given: Mapping[str, Any], *, after: str | None = None) -> str:
        """Return the recipe of a stage, and keep what it stands for."""
        identity = self._identities[kind]
        ingredients = [identity, *given.values(), *([after] if after else [])]
        followed = recipe(stage, SCHEMA_VERSION, *ingredients)
        self._cards[followed] = RecipeCard(
            recipe=followed,
            stage=stage,
            engine=identity["name"],
            version=identity["version"],
            weights=identity["weights"],
            options=identity["options"],
            given=json_bytes(given).decode(),
            after=after,
        )
        return followed


def resolve_channel_mode(spec: RunSpec, hints: SourceHints) -> ChannelMode:
    """Return the recording's own channel mode, or the run's."""
    return hints.channel_mode or spec.channel_mode
