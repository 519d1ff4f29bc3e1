"""Commands that say which engines there are, and whether they work here."""

from __future__ import annotations

from typing import Any

from cyclopts import App

from flows.cli_options import JsonFlag
from flows.cli_output import print_json, print_pairs, print_rows, say, wants_json

_CONFIGURATION = 3

engines = App(name="engines", help="List profiles and engines, and fetch the weights they need.")


@engines.default
def list_engines(*, config: str | None = None, json: JsonFlag = None) -> int:
    """List profiles and engines: what is installed, where weights are, and what each needs.

    Args:
        config: TOML file with settings, which may choose other models; ./voxlake.toml by default.
        json: Print JSON, or tables; tables on a terminal by default.
    """
    from flows.settings import load_settings
    from flows.survey import engine_rows, profile_rows

    rows = {"profiles": profile_rows(), "engines": engine_rows(load_settings(config))}
    if wants_json(json):
        print_json(rows)
        return 0
    print_rows(rows["profiles"], ("profile", "summary", "can_run", "problem"), title="profiles, best first")
    columns = ("kind", "engine", "can_run", "weights", "languages", "max_speakers", "licence", "gate", "needs")
    print_rows(rows["engines"], columns, title="engines")
    return 0


@engines.command(name="fetch")
def fetch_engines(profile: str, folder: str | None = None, *, config: str | None = None, json: JsonFlag = None) -> int:
    """Download the weights of a profile from the model hub, for this machine or into a folder for others.

    Args:
        profile: Named choice of engines, as `voxlake engines` lists them.
        folder: Where to; the hub's cache by default. On a machine without internet, VOXLAKE_WEIGHTS names its copy.
        config: TOML file with settings, which may choose other models; ./voxlake.toml by default.
        json: Print JSON, or text; text on a terminal by default.
    """
    from dataclasses import asdict

    from flows.settings import chosen_engines, load_settings
    from tasks.fetch import fetch_weights

    rows = []
    for fetched in fetch_weights(chosen_engines(load_settings(config, profile=profile)).items(), folder):
        rows.append(asdict(fetched))
        say(f"{fetched.engine}: {fetched.model}, {fetched.size_bytes / 1e6:.0f} MB, in {fetched.path}")
    if not rows:
        say(f"profile {profile}: all its weights come with their packages")
    if wants_json(json):
        print_json(rows)
    return 0


def doctor(*, config: str | None = None, json: JsonFlag = None) -> int:
    """Try every engine on a second of speech, and say what is wrong and the remedy; writes nothing.

    Args:
        config: TOML file with settings, which may choose other models; ./voxlake.toml by default.
        json: Print JSON, or tables; tables on a terminal by default.
    """
    from flows.settings import load_settings
    from flows.survey import machine, profile_rows, tried_engines

    tried = tried_engines(load_settings(config))
    found: dict[str, Any] = {"machine": machine(), "engines": tried, "profiles": profile_rows()}
    if wants_json(json):
        print_json(found)
    else:
        print_pairs(found["machine"])
        print_rows(found["engines"], ("kind", "engine", "works", "result", "seconds", "remedy"), title="engines")
        print_rows(found["profiles"], ("profile", "can_run", "problem"), title="profiles, best first")
    return 0 if any(row["can_run"] for row in found["profiles"]) else _CONFIGURATION
