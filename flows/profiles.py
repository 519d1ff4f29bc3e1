"""Profiles: named choices of engines, and how ``auto`` chooses among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from storage.errors import ConfigError
from tasks.engines import registry
from tasks.engines.registry import KINDS, EngineKind
from tasks.spec import EngineChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Four engines that go well together."""

    name: str
    summary: str
    engines: Mapping[EngineKind, EngineChoice]
    is_hidden: bool = False
    """Not offered, never chosen by ``auto``."""


class Resolved(NamedTuple):
    """A profile, and why it was chosen."""

    profile: Profile
    reason: str


def _engines(detector: str, transcriber: str, diarizer: str, embedder: str) -> dict[EngineKind, EngineChoice]:
    names = (detector, transcriber, diarizer, embedder)
    return {kind: EngineChoice(name=name) for kind, name in zip(KINDS, names, strict=True)}


PROFILES: tuple[Profile, ...] = (
    Profile(
        name="embedded",
        summary="weights come with the packages; for trying Voxlake and for clear English",
        engines=_engines("silero", "pocketsphinx", "resemblyzer", "resemblyzer"),
    ),
    Profile(
        name="fake",
        summary="hears tones instead of voices; for tests",
        engines=_engines("fake", "fake", "fake", "fake"),
        is_hidden=True,
    ),
)
"""Best first: ``auto`` takes the first whose engines are all here."""


def resolve_profile(name: str) -> Resolved:
    """Return the profile of that name; ``auto`` is the best whose engines are installed.

    Raises:
        ConfigError: there is no such profile, or ``auto`` finds none that can run.
    """
    if name == "auto":
        return _best()
    for profile in PROFILES:
        if profile.name == name:
            return Resolved(profile, f"profile {name}: {profile.summary}")
    offered = ", ".join(["auto", *(profile.name for profile in PROFILES if not profile.is_hidden)])
    raise ConfigError(f"profile {name!r}", "there is no such profile", f"choose one of {offered}")


def missing_engines(profile: Profile) -> list[ConfigError]:
    """Return what keeps the profile from running here; nothing is loaded."""
    problems = []
    for kind, choice in profile.engines.items():
        try:
            registry.find(kind, choice.name).identify(choice.options)
        except ConfigError as problem:
            problems.append(problem)
    return problems


def _best() -> Resolved:
    passed_over: list[str] = []
    for profile in PROFILES:
        if profile.is_hidden:
            continue
        problems = missing_engines(profile)
        if not problems:
            why = "; ".join(passed_over) or "the best that is installed"
            return Resolved(profile, f"profile auto took {profile.name} ({profile.summary}): {why}")
        passed_over.append(f"{profile.name} cannot run here ({problems[0].subject}: {problems[0].problem})")
    raise ConfigError("profile 'auto'", "; ".join(passed_over), 'try: pip install "voxlake[embedded]"')
