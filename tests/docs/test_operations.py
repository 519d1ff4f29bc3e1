"""docs/operations.md against the code: kinds of errors, variables, deployments; and links of all pages."""

import re

import pytest
import yaml

from storage import errors
from tests.docs.blocks import PAGES, ROOT, section, table_rows

PAGE = ROOT / "docs" / "operations.md"
SCHEDULING = ROOT / "docs" / "scheduling.md"


def kinds(base):
    return {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, base)}


def test_every_error_that_becomes_a_failure_is_explained():
    explained = {row[0] for row in table_rows(section(PAGE, "When something fails"))}
    assert explained == (kinds(errors.RecordingError) | kinds(errors.EngineError)) - {"RecordingError"}


def test_every_variable_of_ours_is_documented():
    code = [*(ROOT / "flows").rglob("*.py"), *(ROOT / "tasks").rglob("*.py"), *(ROOT / "storage").rglob("*.py")]
    text = "".join(file.read_text() for file in [*code, ROOT / "prefect.yaml"])
    used = set(re.findall(r"VOXLAKE_[A-Z]+(?:_[A-Z]+)*\b", text))
    documented = set(re.findall(r"VOXLAKE_[A-Z]+(?:_[A-Z]+)*\b", section(PAGE, "Environment")))
    assert used == documented - {"VOXLAKE_WORKERS"}  # an example of a setting


def test_every_flow_that_is_deployed_is_named():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    flows = {deployment["entrypoint"].rpartition(".")[2] for deployment in deployments}
    rows = [row[0] for row in table_rows(section(SCHEDULING, "The deployments"))]
    assert {name.strip("` ").partition("/")[0] for row in rows for name in row.split(",")} == flows


def anchors(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target
