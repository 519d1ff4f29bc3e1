"""Profiles: named choices of engines, and how ``auto`` chooses among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from storage.errors import ConfigError
from tasks.engines import registry
from tasks.engines.devices import n_cuda_devices, pick_device
from tasks.engines.registry import KINDS, EngineKind
from tasks.planning.spec import EngineChoice, RunSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Four engines that go well together."""

    name: str
    summary: str
    engines: Mapping[EngineKind, EngineChoice]
    wants_gpu: bool = False
    """Whether its models are too slow on a CPU to be chosen without being asked for."""
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
        name="whisper",
        summary="99 languages, up to 4 voices at a time: Whisper, Sortformer, TitaNet",
        engines=_engines("silero", "whisper", "sortformer", "titanet"),
        wants_gpu=True,
    ),
    Profile(
        name="nemo",
        summary="25 European languages, quickest on a GPU: Parakeet, Sortformer, TitaNet",
        engines=_engines("silero", "parakeet", "sortformer", "titanet"),
        wants_gpu=True,
    ),
    Profile(
        name="pyannote",
        summary="99 languages, any number of voices: Whisper, pyannote, TitaNet",
        engines=_engines("silero", "whisper", "pyannote", "titanet"),
        wants_gpu=True,
    ),
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
"""Best first: ``auto`` takes the first whose engines, weights and device are all here."""


def resolve_profile(name: str) -> Resolved:
    """Return the profile of that name; ``auto`` is the best whose engines, weights and device are here.

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


def uses_gpu(spec: RunSpec) -> bool:
    """Return whether the engines of a run keep a GPU of this machine busy."""
    wants = any(profile.wants_gpu for profile in PROFILES if profile.name == spec.profile)
    return wants and bool(n_cuda_devices()) and pick_device(spec.device).startswith("cuda")


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
        obstacle = _obstacle(profile)
        if obstacle is None:
            why = "; ".join(passed_over) or "the best there is, and all of it is here"
            return Resolved(profile, f"profile auto took {profile.name} ({profile.summary}): {why}")
        passed_over.append(f"not {profile.name} ({obstacle})")
    raise ConfigError("profile 'auto'", "; ".join(passed_over), 'try: pip install "voxlake[embedded]"')


def _obstacle(profile: Profile) -> str | None:
    """Return what keeps ``auto`` from the profile; the cheapest question first."""
    if profile.wants_gpu and not n_cuda_devices():
        return "no GPU here"
    problems = missing_engines(profile)
    return f"{problems[0].subject}: {problems[0].problem}" if problems else None
