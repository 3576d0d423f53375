"""Draws the tables as SVG: a bar for each row, a line at each bound. The output is stable."""

from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.report import Row, Table

WIDTH = 860
LABELS = 330
RIGHT = 120
BARS = WIDTH - LABELS - RIGHT
LINE = 22
BAR = 13
TITLE = 40
MARGIN = 16

HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
    ' height="{height}" role="img" aria-label="Ratios of the benchmarks, with their bounds">'
)
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px }
  .plain { fill: #9aa4b2 }
  .holds { fill: #2b7a4b }
  .broken { fill: #c0392b }
  .bound { stroke: #1f2328; stroke-width: 1.5 }
  .paper { fill: #ffffff }
"""


def svg(tables: Sequence[Table]) -> str:
    """Return all tables below each other."""
    height = MARGIN
    parts: list[str] = []
    for table in tables:
        parts += _drawn(table, height)
        height += TITLE + LINE * len(table.rows)
    height += MARGIN
    return "\n".join(
        [
            HEAD.format(width=WIDTH, height=height),
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _drawn(table: Table, top: int) -> Iterator[str]:
    largest = max(max(row.ratio, row.bound or 0) for row in table.rows)
    title = f"{table.title} ({table.figure_name})"
    yield f'<text class="title" x="{MARGIN}" y="{top + 24}">{escape(title)}</text>'
    for number, row in enumerate(table.rows):
        yield from _bar(row, top + TITLE + LINE * number, BARS / largest)


def _bar(row: Row, top: int, scale: float) -> Iterator[str]:
    colour = {"": "plain", "holds": "holds", "BROKEN": "broken"}[row.verdict]
    base = top + BAR - 2
    yield f'<text x="{LABELS - 10}" y="{base}" text-anchor="end">{escape(row.name)}</text>'
    length = row.ratio * scale
    place = f'x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}"'
    yield f'<rect class="{colour}" {place} rx="2"/>'
    if row.bound is not None:
        at = LABELS + row.bound * scale
        yield (
            f'<line class="bound" x1="{at:.1f}" x2="{at:.1f}" y1="{top - 3}" y2="{top + BAR + 3}"/>'
        )
    end = LABELS + max(length, (row.bound or 0) * scale) + 8
    yield f'<text x="{end:.1f}" y="{base}">{row.ratio:.2f} {row.unit}</text>'
