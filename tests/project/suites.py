"""How the suites of projects are run in this room, and what their results say."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

from tests.harness.baked import BakedProject

# Failures show the values of all variables instead: rewriting each `assert` takes two to three
# seconds in every project.
OPTIONS = ("-q", "-p", "no:cacheprovider", "--assert=plain", "--showlocals")

RunMeasured = Callable[..., dict[str, float]]


def counted(said: str, began: float) -> dict[str, float]:
    """Return the result of a finished run. Raises AssertionError if not all passed or none ran."""
    last = said.strip().splitlines()[-1]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", last)}
    assert counts.get("passed"), said[-2000:]
    assert not counts.keys() & {"failed", "error", "errors", "skipped", "xfailed"}, last
    return {"tests": counts["passed"], "seconds": round(time.monotonic() - began, 1)}


def covered(project: BakedProject, report: Path) -> tuple[float, list[str]]:
    """Return the percentage of lines and branches covered, and the places that were not."""
    found = json.loads(report.read_text(encoding="utf-8"))
    missing = [
        f"{name}: lines {file['missing_lines']}, branches {file['missing_branches']}"
        for name, file in found["files"].items()
        if file["missing_lines"] or file["missing_branches"]
    ]
    assert any(project.package in name for name in found["files"])
    return found["totals"]["percent_covered"], missing
