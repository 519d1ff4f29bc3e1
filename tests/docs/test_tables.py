"""docs/tables.md against the catalog: every column of every view, its type, and whether it may be empty."""

import duckdb
import pytest

from storage.catalog import open_catalog
from storage.schemas import PARTS, WHOLES
from tests.docs.blocks import ROOT, section, table_rows

PAGE = ROOT / "docs" / "tables.md"
NOT_VIEWS = {"What holds for every table", "Cookbook"}


def headings():
    return [line.removeprefix("## ") for line in PAGE.read_text().splitlines() if line.startswith("## ")]


@pytest.fixture(scope="module")
def catalog(place):
    with open_catalog(str(place / "lake")) as connection:
        yield connection


def test_every_view_has_its_section(catalog):
    found = catalog.execute("SELECT view_name FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal")
    assert {name for (name,) in found.fetchall()} == set(headings()) - NOT_VIEWS


@pytest.mark.parametrize("view", [heading for heading in headings() if heading not in NOT_VIEWS])
def test_every_column_is_described(catalog, view):
    described = [(name, kind) for name, kind, _, _ in table_rows(section(PAGE, view))]
    found = [(row[0], row[1]) for row in catalog.execute(f"DESCRIBE {view}").fetchall()]
    assert described == found


@pytest.mark.parametrize("view", [heading for heading in headings() if heading in {**PARTS, **WHOLES}])
def test_what_may_be_empty_is_said(view):
    schema = {**PARTS, **WHOLES}[view]
    for name, _, null, _ in table_rows(section(PAGE, view)):
        may_be_empty = schema.field(name).nullable if name in schema.names else True  # names are joined
        assert null == ("yes" if may_be_empty else "no"), name


def test_what_may_be_empty_in_runs_is_said(catalog):
    for name, _, null, _ in table_rows(section(PAGE, "runs")):
        if null == "no":
            assert catalog.execute(f"SELECT count(*) FROM runs WHERE {name} IS NULL").fetchall() == [(0,)], name


def test_the_instant_of_a_failure_needs_quotes(catalog):
    with pytest.raises(duckdb.ParserException):
        catalog.execute("SELECT at FROM failures")
    assert catalog.execute('SELECT "at" FROM failures').fetchall()
