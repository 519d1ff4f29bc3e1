"""The flow and the command that maintain a lake."""

import json

import pytest

from flows.cli import app
from storage.errors import ConfigError
from storage.lake import Lake
from tests.fact_lakes import commit_words, keys_of
from tests.flow_runs import artifacts


@pytest.fixture
def lake(tmp_path):
    opened = Lake(str(tmp_path / "lake"))
    for recording_id in "ABC":
        commit_words(opened, recording_id, [recording_id])
    return opened


def voxlake(capsys, *arguments):
    app(["maintain", *arguments], exit_on_error=False)
    return capsys.readouterr().out


def test_the_command_says_what_it_would_do_and_does_it(lake, capsys):
    before = keys_of(lake)
    told = json.loads(voxlake(capsys, lake.url, "--dry-run", "--json"))
    assert (told["dry_run"], told["commits_compacted"], told["files_before"]) == (True, 3, 6)
    assert keys_of(lake) == before
    done = json.loads(voxlake(capsys, lake.url, "--grace-days", "0"))
    assert done["deleted"] == {"commits": 3, "facts": 3}
    assert done["files_after"] == len(keys_of(lake)) == 4
    shown = voxlake(capsys, lake.url, "--no-json")
    assert shown.split()[:4] == ["dry_run", "False", "commits_compacted", "0"]


@pytest.mark.parametrize("arguments", [("nowhere",), ("--grace-days", "-1")])
def test_what_makes_no_sense_is_said(lake, arguments, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"holds nothing|less than none"):
        app(["maintain", *(arguments if len(arguments) == 1 else (lake.url, *arguments))], exit_on_error=False)


def test_the_flow_leaves_what_it_did_as_an_artifact(lake, with_server):
    from flows.maintain import maintain_lake

    state = maintain_lake(lake.url, grace_days=0.0, return_state=True)
    assert state.result().n_deleted == 6
    shown = artifacts(state.state_details.flow_run_id)["lake-maintenance"]
    assert "| files before | 6 |" in shown.data
    assert "| deleted under `facts/` | 3 |" in shown.data
    assert shown.description.startswith("3 commits compacted; 6 of 6 files deleted")
