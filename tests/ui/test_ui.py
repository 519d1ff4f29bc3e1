"""What a person sees in Prefect's UI of runs that a worker made: names, states, tasks, logs, artifacts, forms."""

import re

import pytest
from playwright.sync_api import expect

from tests.browsers import artifact_path

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ui")]


def test_every_deployment_has_run(ran):
    for run in (ran.nightly, ran.link, ran.publish, ran.evaluate):
        assert run.state.is_completed(), (run.name, run.state)


def test_runs_have_names_and_states(ran, ui):
    page = ui("/runs", "archive → lake")
    for name in ("archive → lake", "link lake", "publish lake", "evaluate lake"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    expect(page.get_by_text("Completed").first).to_be_visible()


def test_a_run_has_its_tasks_and_its_logs(ran, ui):
    page = ui(f"/runs/flow-run/{ran.nightly.id}", "archive → lake")
    logs = page.locator("body")
    expect(logs).to_contain_text(re.compile(r"\d+ of \d+ recordings to do"))
    expect(logs).to_contain_text(re.compile(r"shard \d+: \d+ recordings?, .* of audio done"))
    expect(logs).to_contain_text(re.compile(r"shard \d+ · broken\.mp3: UnreadableAudio"))
    page.get_by_text("Task Runs", exact=True).first.click()
    expect(logs).to_contain_text(re.compile(r"archive · shard \d+ of \d+ · \d+ recordings?"))
    expect(logs).to_contain_text("link speakers")
    expect(logs).to_contain_text("publish lake")


def test_artifacts_are_there_by_name(ran, ui):
    page = ui("/artifacts", "archive-summary")
    for key in ("archive-run", "archive-progress", "archive-recordings", "archive-failures", "lake-speakers"):
        expect(page.get_by_text(key, exact=True).first).to_be_visible()


def test_the_summary_is_readable(ran, ui):
    page = ui(artifact_path(ran.url, "archive-summary"), "What changed")
    body = page.locator("body")
    expect(page.get_by_role("heading", name="Done; 1 recording failed")).to_be_visible()
    expect(page.get_by_role("cell", name="recordings added", exact=True)).to_be_visible()
    expect(body).to_contain_text("broken.mp3")
    assert "| ---" not in body.inner_text(), "a table is shown as its source"
    assert "**" not in body.inner_text()


def test_progress_ended_at_the_end(ran, ui):
    page = ui(artifact_path(ran.url, "archive-run"), "100 % of the audio is done")
    expect(page.get_by_role("cell", name="recordings done", exact=True)).to_be_visible()
    expect(page.locator("body")).to_contain_text("The run is over")


def test_the_form_of_a_deployment_has_our_fields(ran, ui):
    page = ui(f"/deployments/deployment/{ran.nightly.deployment_id}/run", "Parameters")
    for words in ("Archive", "Lake", "Profile", "Runner", "Folder or URL with the recordings"):
        expect(page.get_by_text(words).first).to_be_visible()
