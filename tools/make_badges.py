"""Draw the badges of README.md from the figures in docs/proof.md: docs/images/badge-*.svg.

`make matrix` runs it after it has written that page; a test shows that the pictures are up to date.
"""

import re
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"

# The file, the label, and where the page has the figure.
BADGES = (
    ("variants", "variants proven", r"^All other (\d+) are rendered and checked"),
    ("suites", "suites on real engines", r"^there are (\d+) distinct trees"),
    ("python", "Python", r"^## Interpreters\n\n([\d., ]+), as far"),
    ("mutants", "guarantees with a mutant", r"^(\d+) mutants"),
)

CHARACTER = 6.6
"""The width of a character in pixels; `textLength` makes the text fit with any font."""

BADGE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img">
<title>{label}: {value}</title>
<rect width="{width}" height="20" rx="3" fill="#3b4252"/>
<path fill="#2e7d32" d="M{left} 0h{arm}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{arm}z"/>
<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">
<text x="6" y="14" textLength="{label_length}">{label}</text>
<text x="{value_at}" y="14" textLength="{value_length}">{value}</text>
</g>
</svg>
"""


def badges(page: str) -> dict[Path, str]:
    """Return the pictures for the text of docs/proof.md, each by its path.

    Raises LookupError if the page lacks a figure.
    """
    return {
        IMAGES / f"badge-{name}.svg": draw(label, find(page, place))
        for name, label, place in BADGES
    }


def find(page: str, place: str) -> str:
    """Return the figure at this place."""
    found = re.search(place, page, re.MULTILINE)
    if found is None:
        raise LookupError(f"docs/proof.md has nothing like {place!r}")
    return found[1]


def draw(label: str, value: str) -> str:
    """Return the picture with a label on the left and a value on the right."""
    label_length, value_length = round(len(label) * CHARACTER), round(len(value) * CHARACTER)
    left = label_length + 12
    return BADGE.format(
        label=escape(label),
        value=escape(value),
        width=left + value_length + 12,
        left=left,
        arm=value_length + 9,
        label_length=label_length,
        value_length=value_length,
        value_at=left + 6,
    )


def main() -> None:
    """Write the pictures."""
    page = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
    for path, picture in badges(page).items():
        path.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
