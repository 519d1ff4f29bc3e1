"""The command line. Imports nothing heavy until a command needs it."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import sys
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from flows.cli_coverage import show_coverage
from flows.cli_demo import demo
from flows.cli_engines import doctor, engines
from flows.cli_evaluate import evaluate
from flows.cli_maintain import maintain
from flows.cli_options import JsonFlag, RunOptions, plan_with
from flows.cli_output import print_json, print_pairs, print_rows, say, wants_json
from flows.cli_query import export, sql
from flows.cli_recipes import compare, recipes
from flows.cli_search import search
from flows.cli_speakers import speakers
from storage.errors import ConfigError, VoxlakeError

_DONE, _SOME_FAILED, _USAGE, _CONFIGURATION, _INTERRUPTED = 0, 1, 2, 3, 130
_DEFAULT_OPTIONS = RunOptions()
_RUN_COLUMNS = ("run_id", "profile", "status", "shards", "audio_min", "audio_left_min", "wall_s", "failed")

app = App(
    name="voxlake",
    help="Who said what, across a whole archive of recordings, as tables you can query.",
    version=lambda: importlib.metadata.version("voxlake"),
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)


def main() -> None:
    """Run a command and exit: 0 done, 1 done but some recordings failed, 2 usage, 3 configuration."""
    try:
        code = app(exit_on_error=False)
    except CycloptsError:
        code = _USAGE
    except KeyboardInterrupt:
        say("interrupted; run the same command again, it continues where this one was")
        code = _INTERRUPTED
    except VoxlakeError as error:
        code = _explain(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has seen enough
        code = _DONE
    gc.freeze()  # a million records that end with the process need not be looked through for cycles first
    sys.exit(code if isinstance(code, int) else _DONE)


@app.command
def run(
    archive: str,
    lake: str,
    *,
    options: RunOptions = _DEFAULT_OPTIONS,
    local: Annotated[bool, Parameter(negative="")] = False,
    json: JsonFlag = None,
) -> int:
    """Do the whole job; run it again to continue, or to take in what is new.

    Args:
        archive: Folder or URL with the recordings.
        lake: Folder or URL of the result.
        options: How.
        local: Without Prefect.
        json: Print the summary as JSON, or as text; text on a terminal by default.
    """
    from flows.launch import launch
    from tasks.reading.summary import headline, summary_json

    summary = launch(plan_with(options, archive, lake), is_local=local)
    if wants_json(json):
        print_json(summary_json(summary))
    else:
        say(headline(summary))
    return _SOME_FAILED if summary.failed or summary.lost else _DONE


@app.command
def plan(archive: str, lake: str, *, options: RunOptions = _DEFAULT_OPTIONS, json: JsonFlag = None) -> int:
    """Say what a run would do, from headers alone: hours, shards, engines, expected time and memory.

    Args:
        archive: Folder or URL with the recordings.
        lake: Folder or URL of the result.
        options: How.
        json: Print JSON, or text; text on a terminal by default.
    """
    from tasks.planning.estimates import describe_plan

    described = describe_plan(plan_with(options, archive, lake))
    print_json(described) if wants_json(json) else print_pairs(described)
    return _DONE


@app.command
def status(
    lake: str,
    *,
    coverage: Annotated[bool, Parameter(negative="")] = False,
    recording: str | None = None,
    json: JsonFlag = None,
) -> int:
    """Say what is done, pending and failed in a lake.

    Args:
        lake: Folder or URL of the lake.
        coverage: Instead, prove that every millisecond has a status, or say which has none.
        recording: With --coverage, only this recording: its source or its ID.
        json: Print JSON, or tables; tables on a terminal by default.
    """
    if coverage:
        return _DONE if show_coverage(lake, recording, json=json) else _SOME_FAILED
    if recording is not None:
        raise ConfigError("--recording", "says which coverage to prove", "give --coverage too")
    from tasks.reading.standing import lake_status
    from tasks.reading.summary import MOST_ROWS

    found = lake_status(lake)
    if wants_json(json):
        print_json(found)
    else:
        print_pairs(found["counts"])
        failures = found["failures"]
        title = "failures" if len(failures) <= MOST_ROWS else f"failures, the first {MOST_ROWS} of {len(failures):,}"
        print_rows(failures[:MOST_ROWS], ("source", "stage", "error", "message"), title=title)
        print_rows(found["runs"], _RUN_COLUMNS, title="latest runs")
    return _SOME_FAILED if found["failures"] else _DONE


for _command in (sql, search, export, evaluate, recipes, compare, speakers, maintain, engines, doctor, demo):
    app.command(_command)


def _explain(error: VoxlakeError) -> int:
    if os.environ.get("VOXLAKE_DEBUG") == "1":
        raise error
    say(str(error))
    return _CONFIGURATION if isinstance(error, ConfigError) else _SOME_FAILED
