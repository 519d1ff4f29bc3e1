"""Commands about several opinions on the same recordings: which there are, where they differ, which is published."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from flows.cli_options import JsonFlag, Later
from flows.cli_output import print_json, print_rows, say, wants_json

OpinionStage = Literal["transcribe", "diarize"]

_STAGES: tuple[OpinionStage, ...] = ("transcribe", "diarize")
_MOST_SHOWN = 20

recipes = App(name="recipes", help="List how the stages of a lake were done, and choose what is published.")


@recipes.command(name="list")
def list_recipes(lake: str, *, json: JsonFlag = None) -> int:
    """List how each stage was done: engine, options, recordings, and of how many it is published.

    Args:
        lake: Folder or URL of the lake.
        json: Print JSON, or a table; a table on a terminal by default.
    """
    from tasks.opinions.choose import recipe_rows

    rows = recipe_rows(lake)
    if wants_json(json):
        print_json(rows)
    else:
        columns = ("stage", "recipe", "engine", "version", "options", "given", "n_recordings", "n_published")
        print_rows(rows, (*columns, "chosen_at", "last_done"))
    return 0


@recipes.command(name="choose")
def choose(lake: str, recipe: str, *more: str, later: Later = False, json: JsonFlag = None) -> int:
    """Choose a recipe to be published, whatever later runs do; link and publish again.

    Args:
        lake: Folder or URL of the lake.
        recipe: As `voxlake recipes list` shows it, or its beginning.
        more: Other recipes; of those that a recording has, the last counts.
        later: Only note it; it counts from the next run on.
        json: Print JSON, or a table; a table on a terminal by default.
    """
    from tasks.opinions.choose import choose_recipes

    for chosen in choose_recipes(lake, [recipe, *more]):
        say(f"{chosen} is chosen")
    return _make_count(lake, later=later, json=json)


@recipes.command(name="reset")
def reset(lake: str, *, stage: OpinionStage | None = None, later: Later = False, json: JsonFlag = None) -> int:
    """Take all choices back, so that the latest run decides again; link and publish again.

    Args:
        lake: Folder or URL of the lake.
        stage: Only choices of this stage.
        later: Only note it; it counts from the next run on.
        json: Print JSON, or a table; a table on a terminal by default.
    """
    from tasks.opinions.choose import take_choices_back

    take_choices_back(lake, (stage,) if stage else _STAGES)
    return _make_count(lake, later=later, json=json)


def compare(
    lake: str,
    *,
    stage: OpinionStage | None = None,
    recipes: Annotated[tuple[str, str] | None, Parameter(negative="")] = None,
    json: JsonFlag = None,
) -> int:
    """Say where transcribers or diarizers differ about the same recordings, and how much; keep it in the lake.

    Args:
        lake: Folder or URL of the lake.
        stage: Only this stage.
        recipes: Two recipes of one stage; by default what is published, with every other that there is.
        json: Print JSON, or a table; a table on a terminal by default.
    """
    from tasks.opinions.compare import compare_lake, totals

    rows = compare_lake(lake, (stage,) if stage else _STAGES, recipes)
    if wants_json(json):
        print_json(rows)
        return 0
    columns = ("stage", "one_recipe", "other_recipe", "n_compared", "n_differing", "rate")
    print_rows(totals(rows), ("recordings", *columns), title="in all")
    print_rows(rows[:_MOST_SHOWN], ("source", *columns), title="recordings that differ most")
    if rows:
        say(f'where: voxlake sql {lake} "FROM disagreements ORDER BY source, start_ms"')
    else:
        say("no recording has two opinions; run again with another engine, such as: --set transcriber.name=whisper")
    return 0


def _make_count(lake: str, *, later: bool, json: bool | None) -> int:
    """Make choices count, and say what is published now."""
    from flows.local import relink

    if later:
        say("this counts from the next run on")
    else:
        relink(lake)
    return list_recipes(lake, json=json)
