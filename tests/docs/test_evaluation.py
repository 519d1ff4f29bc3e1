"""docs/evaluation.md against the code: every figure and every column of a file of figures."""

import re

import pyarrow as pa

from storage.schemas import EVALUATION
from tasks.evaluation.report import TITLES
from tests.docs.blocks import ROOT, section, table_rows

PAGE = ROOT / "docs" / "evaluation.md"
_DUCKDB = {pa.string(): "VARCHAR", pa.int32(): "INTEGER", pa.float64(): "DOUBLE"}


def test_every_figure_is_explained():
    cells = [name for _, name, _ in table_rows(section(PAGE, "Figures"))]
    assert [name for cell in cells for name in re.findall(r"`(\w+)`|^(\w+)$", cell) for name in name if name] == [
        *TITLES
    ]


def test_every_column_is_explained():
    rows = table_rows(section(PAGE, "Files"))
    explained = {name.strip("` "): (kind, null == "yes") for names, kind, null, _ in rows for name in names.split(",")}
    assert explained == {field.name: (_DUCKDB[field.type], field.nullable) for field in EVALUATION}
