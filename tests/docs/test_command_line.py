"""docs/command-line.md against the command line: every command, every option, every format."""

import re

import pytest
from cyclopts import App

from flows.cli import app
from flows.profiles import PROFILES
from storage.formats import FORMATS
from tests.docs.blocks import ROOT, section, table_rows

PAGE = ROOT / "docs" / "command-line.md"


def leaves(group: App, path: tuple[str, ...] = ()) -> dict[str, App]:
    """Return the commands below an app by their full names."""
    found: dict[str, App] = {}
    for name in group:
        if name.startswith("-"):
            continue
        command = group[name]
        below = leaves(command, (*path, name))
        found |= below
        if command.default_command or not below:
            found[" ".join((*path, name))] = command
    return found


COMMANDS = leaves(app)


def documented(command: str) -> set[str]:
    cells = [row[0] for row in table_rows(section(PAGE, f"voxlake {command}"))]
    return {name.strip("` ") for cell in cells for name in cell.split(",")}


def arguments(command: App):
    collection = command.assemble_argument_collection(parse_docstring=True)
    return [argument for argument in collection if argument.names != ("*",)]  # that one stands for those it holds


def offered(command: App) -> set[str]:
    names = set()
    for argument in arguments(command):
        is_positional = argument.field_info.kind is argument.field_info.POSITIONAL_OR_KEYWORD
        shown = argument.names[0].lstrip("-").replace("-", "_").upper()
        names |= {shown} if is_positional else set(argument.names)
    return names


def test_every_command_has_its_section():
    headings = set(re.findall(r"^## voxlake (.*)$", PAGE.read_text(), re.MULTILINE))
    assert headings == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name):
    assert documented(name) == offered(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_everything_has_help(name):
    assert COMMANDS[name].help
    for argument in arguments(COMMANDS[name]):
        assert argument.parameter.help, argument.names


def test_every_format_is_documented():
    text = section(PAGE, "voxlake export")
    rows = table_rows(text[text.index("\n| format | suffix") :])
    assert {(name, suffix) for name, suffix, _, _ in rows} == {(name, one.suffix) for name, one in FORMATS.items()}


def test_every_profile_that_is_offered_is_explained():
    text = (ROOT / "docs" / "engines.md").read_text()
    for profile in PROFILES:
        assert profile.is_hidden or f"`{profile.name}`" in text
