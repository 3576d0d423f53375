"""How the suites of projects are run in this room, and what their results say."""

import json
import re
import time
from pathlib import Path

from tests.harness.api_document import write_api_document
from tests.harness.baked import BakedProject, clean_environment
from tests.harness.environments import Environment
from tests.harness.forks import ForkServer

# Failures show the values of all variables instead: rewriting each `assert` takes two to three
# seconds in every project.
OPTIONS = ("-q", "-p", "no:cacheprovider", "--assert=plain", "--showlocals")

# Without the slow tests and the plugin that only they use.
QUICK = ("-m", "not slow", "-p", "no:schemathesis", "--ignore=tests/web/test_schemathesis.py")

# They restart servers and brokers again and again: whatever else a tree has, once for each engine.
WITHOUT_DRILLS = (
    "--ignore-glob=tests/database/sessions/test_outages*.py",
    "--ignore=tests/jobs/test_worker.py",
    "--ignore=tests/dev",
)

# What sees neither callers nor jobs: how migrations are written, read and finished.
OF_THE_ENGINE_ALONE = (
    "--ignore=tests/database/test_arrangement.py",
    "--ignore=tests/database/test_authoring.py",
    "--ignore=tests/database/test_notes.py",
    "--ignore=tests/database/test_revisions.py",
    "--ignore=tests/database/test_unfinished.py",
)

PASSED = "PASSED "
"""The beginning of a line of `-rp`; the id of the test follows."""


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


class Suites:
    """Runs suites of projects in forks of one process.

    Suites on other interpreters and of installations run in processes of their own.
    """

    def __init__(self, environment: Environment, forks: ForkServer) -> None:
        self.environment = environment
        self.forks = forks
        self._collected: dict[tuple[Path, tuple[str, ...]], list[str]] = {}

    def run_measured(
        self, project: BakedProject, report: Path, *arguments: str
    ) -> tuple[dict[str, float], list[str]]:
        """Run a suite, or what these arguments select, and write its coverage to a file.

        Returns the result and the ids of the tests. Raises AssertionError if a test fails or is
        skipped, or if there is none.
        """
        options = ("--cov", "--cov-branch", f"--cov-report=json:{report}", "--cov-fail-under=0")
        coverage = {"COVERAGE_FILE": str(report.with_suffix(".sqlite"))}
        return self.run(project, *options, *arguments, **coverage)

    def run(
        self, project: BakedProject, *arguments: str, **variables: str
    ) -> tuple[dict[str, float], list[str]]:
        """Run a suite as `run_measured` does, without coverage."""
        write_api_document(project, self.environment)
        began = time.monotonic()
        said = self._run(project, "-rp", *arguments, **variables)
        passed = [line.removeprefix(PASSED) for line in said.splitlines() if line[:7] == PASSED]
        return counted(said, began), sorted(passed)

    def collected(self, project: BakedProject, *arguments: str) -> list[str]:
        """Return the ids of the tests that these arguments select; none is run."""
        said = self._run(project, *arguments, "--collect-only")
        return sorted(line for line in said.splitlines() if "::" in line)

    def collected_once(self, project: BakedProject, *arguments: str) -> list[str]:
        """Return what `collected` does, of a project that no test changes."""
        key = project.path, arguments
        if key not in self._collected:
            self._collected[key] = self.collected(project, *arguments)
        return self._collected[key]

    def _run(self, project: BakedProject, *options: str, **variables: str) -> str:
        settings = clean_environment({**self.environment.variables, **variables})
        done = self.forks.run_pytest(project.path, [*OPTIONS, *options], settings)
        if done.returncode != 0:
            lines = [line for line in done.stdout.splitlines() if not line.startswith(PASSED)]
            raise AssertionError("\n".join(lines)[-6000:] + done.stderr[-6000:])
        return done.stdout
