"""Reads and writes docs/benchmarks.md and its picture: the last measurement of each table."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.plot import svg
from benchmarks.projects import TEMPLATE
from benchmarks.report import Table

DOCS = TEMPLATE / "docs"
MAX_ROWS_DRAWN = 20
EXPLANATION = Path(__file__).with_name("explanation.md")


def read() -> list[Table]:
    """Return the tables of docs/benchmarks.md."""
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    tables = text.removeprefix(EXPLANATION.read_text(encoding="utf-8"))
    return [Table.from_markdown(f"## {part}") for part in tables.split("\n## ")[1:]]


def merged(before: Sequence[Table], measured: Sequence[Table]) -> list[Table]:
    """Return the old tables, replaced by those measured now; new tables follow."""
    now = {table.title: table for table in measured}
    return [now.pop(table.title, table) for table in before] + list(now.values())


def write(tables: Sequence[Table]) -> None:
    """Write docs/benchmarks.md and its picture."""
    (DOCS / "benchmarks.md").write_text(page_of(tables), encoding="utf-8")
    (DOCS / "images" / "benchmarks.svg").write_text(picture(read()), encoding="utf-8")


def picture(tables: Sequence[Table]) -> str:
    """Return the picture of the tables that a picture has room for."""
    return svg([table for table in tables if len(table.rows) <= MAX_ROWS_DRAWN])


def page_of(tables: Sequence[Table]) -> str:
    """Return the page: the explanation and the tables."""
    text = [EXPLANATION.read_text(encoding="utf-8"), *(table.markdown() for table in tables)]
    return "\n".join(text)
