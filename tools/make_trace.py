"""Draws docs/images/trace.svg: the spans of a request that creates a row.

    python tools/make_trace.py [--python PROGRAM] [picture]

The spans are those of a generated service on SQLite; only durations differ from run to run. PROGRAM
is a Python that has the libraries of the service, by default this one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parents[1]
PICTURE = TEMPLATE / "docs" / "images" / "trace.svg"
ANSWERS = {"project_name": "Library", "resource": "book", "setup": "no"}

PROGRAM = """
import json
from library import create_app
from tests.support.spans import Spans
app = create_app()
client = app.test_client()
for number in range(20):
    client.post("/api/v1/books", json={"name": f"before {number}"}, buffered=True)
spans = Spans(app)
response = client.post("/api/v1/books", json={"name": "traced"}, buffered=True)
assert response.status_code == 201
print(json.dumps([[each.name, each.start_time, each.end_time] for each in spans.all()]))
"""

WIDTH, ROW, LEFT, RIGHT = 760, 26, 300, 70
BAR = """\
<text x="{text}" y="{y}">{name}</text>
<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="14" rx="2" fill="{colour}"/>
<text x="{after:.1f}" y="{y}" fill="#57606a">{duration} ms</text>
"""
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>The spans of a request that creates a row</title>
<rect width="{width}" height="{height}" fill="#ffffff"/>
<g font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="12" fill="#1f2328">
{bars}</g>
</svg>
"""


class Span(NamedTuple):
    """A part of the request, with its times in nanoseconds."""

    name: str
    start: int
    end: int


def spans(python: str) -> list[Span]:
    """Return the spans of a request to a generated service, in the order in which they began."""
    with tempfile.TemporaryDirectory() as folder:
        made = cookiecutter(str(TEMPLATE), no_input=True, extra_context=ANSWERS, output_dir=folder)
        environment = {
            **os.environ,
            "PYTHONPATH": f"{made}/src",
            "DATABASE_URL": f"sqlite:///{folder}/library.db",
        }

        def run(*arguments: str) -> str:
            return subprocess.check_output(
                [Path(python).absolute(), *arguments], cwd=made, env=environment, text=True
            )

        run("-m", "flask", "--app", "library", "db", "upgrade")
        said = run("-c", PROGRAM)
    said = said.replace(f"{folder}/", "")  # SQLite's name of a database is its path
    found = [Span(*each) for each in json.loads(said.splitlines()[-1])]
    return sorted(found, key=lambda span: (span.start, -span.end))


def draw(shown: list[Span]) -> str:
    """Return the picture: a bar for each span, below the request that it is a part of."""
    whole = shown[0]
    scale = (WIDTH - LEFT - RIGHT) / (whole.end - whole.start)
    bars = []
    for number, span in enumerate(shown):
        x = LEFT + (span.start - whole.start) * scale
        width = max(1.0, (span.end - span.start) * scale)
        bars.append(
            BAR.format(
                text=12 if span is whole else 28,
                name=escape(span.name),
                x=x,
                y=ROW * (number + 1),
                top=ROW * (number + 1) - 11,
                width=width,
                after=x + width + 6,
                colour="#2e7d32" if span is whole else "#4c78a8",
                duration=f"{(span.end - span.start) / 1e6:.1f}",
            )
        )
    return SVG.format(width=WIDTH, height=ROW * (len(shown) + 1), bars="".join(bars))


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("picture", nargs="?", type=Path, default=PICTURE)
    arguments = parser.parse_args()
    arguments.picture.write_text(draw(spans(arguments.python)), encoding="utf-8")
    print(f"{arguments.picture} is written.")


if __name__ == "__main__":
    main()
