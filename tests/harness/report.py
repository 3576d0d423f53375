"""Prints a table at the end of a run and writes it as JSON to build/proof.json or `--proof`.

A test reports what it proved by the fixture `proved`; the entries of all workers are collected.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

import pytest

from .cpu import cpu_seconds
from .environments import checkout_of_flask, found_versions, interpreters, missing_versions
from .progress import Progress, kind_of
from .variants import COMBINATIONS, ROOT, UNSUPPORTED

PROVED = "proved"
CPU = "CPU seconds"
BEGAN: pytest.StashKey[float] = pytest.StashKey()
SCHEMA_CHANGE = "schema change"
KINDS_OF_THEIR_OWN = {"suite", "static", SCHEMA_CHANGE}

MAX_CHARACTERS = 4000
"""Characters of a failure that are shown at once; the rest follows at the end."""

MAX_PARTS = 30
"""Parts of the proof whose CPU is printed; the file has all."""

Proved = Callable[..., None]


@pytest.fixture
def proved(record_property: Callable[[str, object], None]) -> Proved:
    """Add an entry to the table at the end: `proved("suite", variant=..., tests=...)`."""

    def enter(kind: str, **facts: str | float | list[str]) -> None:
        record_property(PROVED, {"kind": kind, **facts})

    return enter


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Store what the process has used before the test."""
    item.stash[BEGAN] = cpu_seconds()
    yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give the last report of a test the CPU that its fixtures and the test used."""
    report = yield
    if call.when == "teardown" and BEGAN in item.stash:
        report.user_properties.append((CPU, cpu_seconds() - item.stash[BEGAN]))
    return report


class Report:
    """Collects what was proved and what was skipped, and prints it."""

    def __init__(self, file: Path, terminal: pytest.TerminalReporter) -> None:
        self.file = file
        self.terminal = terminal
        self.began = time.monotonic()
        self.lines: list[dict[str, Any]] = []
        self.used: dict[str, list[float]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Store the entries of a test that passed; print the name of one that failed."""
        if report.failed:
            self.terminal.write_line(f"\nFAILED {report.nodeid}", red=True)
            self.terminal.write_line(report.longreprtext[-MAX_CHARACTERS:])
        if report.when == "call" and report.passed:
            facts = [fact for name, fact in report.user_properties if name == PROVED]
            self.lines += cast("list[dict[str, Any]]", facts)
        if report.when == "teardown":
            seconds = [cast("float", fact) for name, fact in report.user_properties if name == CPU]
            self.used[kind_of(report.nodeid)] += seconds

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table and write the file."""
        suites = [line for line in self.lines if line["kind"] == "suite"]
        static = {line["variant"]: line["tree"] for line in self.lines if line["kind"] == "static"}
        proof = {
            "combinations": len(COMBINATIONS),
            "unsupported": len(UNSUPPORTED),
            "variants": len(static),
            "distinct trees": len(set(static.values())),
            "interpreters": found_versions(),
            "interpreters that were not found": missing_versions(),
            "places of the interpreters": interpreters(),
            "Flask": checkout_of_flask() or "installed",
            "mutants": sum(line["kind"] == "mutant" for line in self.lines),
            "suites": suites,
            "schema changes": [line for line in self.lines if line["kind"] == SCHEMA_CHANGE],
            "other": [line for line in self.lines if line["kind"] not in KINDS_OF_THEIR_OWN],
            "passed": len(terminalreporter.stats.get("passed", [])),
            "failed": len(terminalreporter.stats.get("failed", []))
            + len(terminalreporter.stats.get("error", [])),
            "skipped": [str(report.nodeid) for report in terminalreporter.stats.get("skipped", [])],
            "seconds": round(time.monotonic() - self.began, 1),
            "parts": [
                {"part": part, "tests": len(used), "CPU seconds": round(sum(used), 1)}
                for part, used in sorted(self.used.items(), key=lambda item: -sum(item[1]))
            ],
        }
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(json.dumps(proof, indent=2) + "\n", encoding="utf-8")
        terminalreporter.section("the proof")
        for line in lines_of(proof):
            terminalreporter.write_line(line)


def lines_of(proof: dict[str, Any]) -> list[str]:
    """Return the lines of the printed table."""
    missing = ", ".join(proof["interpreters that were not found"]) or "none"
    rows = [
        f"combinations of choices: {proof['combinations']}; unsupported: {proof['unsupported']}",
        f"variants rendered and checked: {proof['variants']}",
        f"distinct trees among them: {proof['distinct trees']}",
        f"interpreters: {', '.join(proof['interpreters'])}; not found: {missing}",
        *(
            f"Python {version}: {place}"
            for version, place in proof["places of the interpreters"].items()
            if place
        ),
        f"Flask: {proof['Flask']}",
        f"mutants that the tests of a project saw: {proof['mutants']}",
        *(
            f"mutants by rule that generated tests saw: {line['seen']} of {line['tried']}"
            f" on {line['engine']}; not seen: {line['survivors'] or 'none'}"
            for line in proof["other"]
            if line["kind"] == "mutants by rule"
        ),
        "",
        f"{'suite run':<74} {'tests':>5} {'seconds':>8} {'coverage':>9}",
    ]
    for suite in sorted(proof["suites"], key=lambda line: (line["variant"], line["how"])):
        name = f"{suite['variant']} ({suite['how']})"
        coverage = f"{suite['coverage']:.1f} %" if "coverage" in suite else ""
        rows.append(f"{name:<74} {suite['tests']:>5} {suite['seconds']:>8.1f} {coverage:>9}")
    rows += ["", f"{'part, by CPU':<74} {'tests':>5} {'seconds':>8}"]
    for part in proof["parts"][:MAX_PARTS]:
        name = part["part"].removeprefix("tests/")
        rows.append(f"{name:<74} {part['tests']:>5} {part['CPU seconds']:>8.1f}")
    total = sum(part["CPU seconds"] for part in proof["parts"])
    rows.append(f"{'all parts':<74} {'':>5} {total:>8.1f}")
    rows += _changes(proof["schema changes"])
    skipped = ", ".join(proof["skipped"]) or "nothing"
    count = f"tests: {proof['passed']} passed, {proof['failed']} failed; skipped: {skipped}"
    rows += ["", count, f"seconds: {proof['seconds']}"]
    return rows


def _changes(changes: list[dict[str, Any]]) -> list[str]:
    """Return the table of kinds of schema changes, a word for each engine; the file has the SQL."""
    engines = sorted({line["engine"] for line in changes})
    if not engines:
        return []
    found = {(line["change"], line["engine"]) for line in changes}
    cells = {
        name: [f"{'proved' if (name, engine) in found else 'absent':<11}" for engine in engines]
        for name in sorted({line["change"] for line in changes})
    }
    head = [f"{engine:<11}" for engine in engines]
    rows = [("schema change", head), *cells.items()]
    return ["", *(f"{name:<56} {' '.join(words)}".rstrip() for name, words in rows)]


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Collect in the process that prints."""
    if not hasattr(config, "workerinput"):
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        assert isinstance(terminal, pytest.TerminalReporter)
        report = Report(Path(config.getoption("--proof")), terminal)
        config.pluginmanager.register(report, "template-report")
        if config.getoption("--progress"):
            memory = ROOT / "build" / "durations.json"
            progress = Progress(terminal, memory, one_line=bool(terminal.isatty))
            config.pluginmanager.register(progress, "template-progress")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run with `--no-skips` if a test was skipped or an interpreter is missing.

    A skipped test proves nothing.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not session.config.getoption("--no-skips"):
        return
    left_out = reporter.stats.get("skipped") or missing_versions()
    if left_out and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the report."""
    parser.addoption("--proof", default=ROOT / "build" / "proof.json", metavar="FILE")
    parser.addoption("--progress", action="store_true", help="say how far it is, in place of dots")
    parser.addoption(
        "--no-skips", action="store_true", help="fail if a test was skipped or a Python is missing"
    )
