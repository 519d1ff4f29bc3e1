"""README.md against the project: extras, make targets, the first screen."""

import re
import tomllib

from tests.docs.blocks import ROOT, section, table_rows

README = ROOT / "README.md"
FIRST_SCREEN_LINES = 40


def test_every_extra_is_explained():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    explained = {row[0] for row in table_rows(section(README, "Install"))}
    assert explained == {"(none)", *project["optional-dependencies"]}


def test_the_first_screen_says_what_it_is_and_how_to_try_it():
    screen = "\n".join(README.read_text().splitlines()[:FIRST_SCREEN_LINES])
    description = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["description"]
    assert description in screen
    assert "make demo" in screen
    assert "make test" in screen


def test_make_knows_what_the_docs_tell_it():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (README, ROOT / "CONTRIBUTING.md"):
        told = set(re.findall(r"\bmake ([a-z]+)$|`make ([a-z]+)`", page.read_text(), re.MULTILINE))
        assert told
        assert {alone or inline for alone, inline in told} <= targets


def test_every_page_is_linked():
    text = README.read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{page.name})" in text
