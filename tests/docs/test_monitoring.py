"""docs/monitoring.md against the code: statuses, artifacts, alerts, log lines, pictures."""

import re
from typing import get_args

import yaml

from storage.runs import RunStatus
from tests.docs.blocks import ROOT, section, table_rows

PAGE = ROOT / "docs" / "monitoring.md"
LARGEST_PICTURE = 150_000


def test_every_status_of_a_run_is_explained():
    rows = table_rows(section(PAGE, "The same in SQL"))
    assert {row[0] for row in rows} == set(get_args(RunStatus))


def test_every_artifact_is_named():
    left = set(re.findall(r'key=f"{\w+(?:\(\w+\))?}-(\w+)"', (ROOT / "tasks" / "steps.py").read_text()))
    told = {re.search(r"…-(\w+)", row[0])[1] for row in table_rows(section(PAGE, "One run"))}
    assert {"run", "progress", "summary"} <= left <= told


def test_the_alerts_are_automations_of_prefect():
    from prefect.events.schemas.automations import AutomationCore

    described = yaml.safe_load((ROOT / "docs" / "automations.yaml").read_text())["automations"]
    automations = [AutomationCore.model_validate(one) for one in described]
    tags = {tag for one in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"] for tag in one["tags"]}
    assert len(automations) == 2
    for automation in automations:
        related = automation.trigger.match_related.root["prefect.resource.id"]
        assert related.removeprefix("prefect.tag.") in tags


def test_pictures_are_there_and_not_heavy():
    shown = re.findall(r"!\[([^\]]+)\]\((images/[^)]+)\)", PAGE.read_text())
    assert len(shown) == len(list((PAGE.parent / "images").iterdir())) == 6
    for words, path in shown:
        assert len(words) > 20
        assert (PAGE.parent / path).stat().st_size < LARGEST_PICTURE
