"""What there is on this machine: versions, processors, profiles and engines."""

from __future__ import annotations

import platform
import time
from typing import Any

from flows.job import installed_versions
from flows.profiles import PROFILES, missing_engines
from flows.settings import Settings, chosen_engines
from storage.errors import ConfigError, VoxlakeError
from tasks.engines import registry
from tasks.engines.hub import locate
from tasks.engines.registry import EngineKind
from tasks.fetch import sources_of
from tasks.planning.spec import EngineChoice
from tasks.self_test import try_engine
from tasks.threads import usable_cpus
from tasks.workers import call_in_worker, open_workers

Row = dict[str, Any]

_FAKE = "fake"
_INFO = ("summary", "languages", "licence", "max_speakers", "needs")


def machine() -> Row:
    """Return versions of what is installed, and the processors that may be used."""
    return {**installed_versions(), "system": platform.platform(), "usable processors": usable_cpus()}


def profile_rows() -> list[Row]:
    """Return the profiles, best first, and what keeps each from running."""
    rows = []
    for profile in PROFILES:
        if not profile.is_hidden:
            problems = missing_engines(profile)
            rows.append(
                {
                    "profile": profile.name,
                    "summary": profile.summary,
                    "can_run": not problems,
                    "problem": "; ".join(map(str, problems)),
                }
            )
    return rows


def engine_rows(settings: Settings) -> list[Row]:
    """Return every registered engine and what it says of itself; none is loaded."""
    return [_engine_row(kind, choice) for kind, choice in _known_engines(settings)]


def tried_engines(settings: Settings) -> list[Row]:
    """Return every registered engine and how it did on a second of speech, tried in a process of its own."""
    with open_workers(1, 1):
        return [_tried_row(kind, choice, settings.device) for kind, choice in _known_engines(settings)]


def _known_engines(settings: Settings) -> list[tuple[EngineKind, EngineChoice]]:
    """Return all engines, with the options that the settings have for those they choose."""
    try:
        chosen = chosen_engines(settings)
    except ConfigError:  # no profile can run, which is what somebody wants to find out about
        chosen = {}
    known = [(kind, EngineChoice(name=name)) for kind in registry.KINDS for name in registry.names(kind)]
    return [
        (kind, chosen[kind] if kind in chosen and chosen[kind].name == choice.name else choice)
        for kind, choice in known
        if choice.name != _FAKE
    ]


def _engine_row(kind: EngineKind, choice: EngineChoice) -> Row:
    row: Row = {"kind": kind, "engine": choice.name, **dict.fromkeys(_INFO, ""), "weights": "", "gate": ""}
    try:
        engine = registry.find(kind, choice.name)
        row |= {column: getattr(engine.info, column) for column in _INFO}
        sources = sources_of(kind, choice)
        row["gate"] = ", ".join(sorted({source.gate_page for source in sources if source.gate_page}))
        engine.identify(choice.options)
        row["weights"] = ", ".join(str(locate(source)) for source in sources) or "in its package"
    except ConfigError as problem:
        return row | {"can_run": False, "needs": problem.reason}
    return row | {"can_run": True}


def _tried_row(kind: EngineKind, choice: EngineChoice, device: str) -> Row:
    row: Row = {"kind": kind, "engine": choice.name}
    begun = time.monotonic()
    try:
        result = call_in_worker(try_engine, kind, choice.name, choice.options, device)
    except VoxlakeError as problem:
        return row | {"works": False, "result": problem.problem, "seconds": None, "remedy": problem.remedy}
    return row | {"works": True, "result": result, "seconds": round(time.monotonic() - begun, 1), "remedy": ""}
