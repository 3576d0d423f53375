"""Shows the progress of a long run: tests done, tests failed, and the time left.

On a terminal this is one line that changes; elsewhere a line is printed now and then.
"""

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Protocol

import pytest

SECONDS_BETWEEN_LINES = 30
SECONDS_UNKNOWN = 2.0
"""Estimated seconds of a test that has never run."""

A_VARIANT = "::test_variant_is_sound["


class Terminal(Protocol):
    """The part of pytest's terminal reporter that is used here."""

    def write(self, content: str) -> None:
        """Write without starting a line."""

    def write_line(self, line: str) -> None:
        """Write a line."""


class Progress:
    """Counts finished tests in the process that prints."""

    def __init__(self, terminal: Terminal, memory: Path, *, one_line: bool) -> None:
        self.terminal = terminal
        self.memory = memory
        self.one_line = one_line
        self.began = self.said = time.monotonic()
        self.processes: set[str] = set()
        self.left: dict[str, None] = {}
        self.variants = self.all_variants = self.done = self.failed = 0
        self.took: dict[str, list[float]] = defaultdict(list)
        self.known: dict[str, float] = {}
        if memory.exists():
            self.known = json.loads(memory.read_text(encoding="utf-8"))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the collected tests of a run in one process."""
        self.begin([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: list[str]) -> None:
        """Record the collected tests from the first of several processes."""
        self.processes.add(str(node))
        self.begin(ids)

    def begin(self, ids: list[str]) -> None:
        """Use these tests as the total, unless it is known."""
        if not self.left and not self.done:
            self.left = dict.fromkeys(ids)
            self.all_variants = sum(A_VARIANT in name for name in ids)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Print neither a dot for a test that passed nor a letter for one that failed."""
        if report.when != "call" or report.skipped:
            return None
        return ("passed", "", "") if report.passed else ("failed", "", "FAILED")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a finished test and print the progress."""
        self.failed += report.failed
        self.took[kind_of(report.nodeid)].append(report.duration)
        if report.when != "teardown":
            return
        self.left.pop(report.nodeid, None)
        self.done += 1
        self.variants += A_VARIANT in report.nodeid
        now = time.monotonic()
        if self.one_line or now - self.said > SECONDS_BETWEEN_LINES:
            self.said = now
            self.say()

    def say(self) -> None:
        """Print the progress."""
        line = (
            f"{as_time(time.monotonic() - self.began)}: "
            f"variants {self.variants} of {self.all_variants}, "
            f"tests {self.done} of {self.done + len(self.left)}, failed {self.failed}; "
            f"about {as_time(self.seconds_left())} left"
        )
        if self.one_line:
            self.terminal.write(f"\r{line:<79}")
        else:
            self.terminal.write_line(line)

    def seconds_left(self) -> float:
        """Return the seconds left, if each test takes as long as others of its kind."""
        means = self.known | {
            kind: sum(times) / self.count(kind) for kind, times in self.took.items()
        }
        each = (means.get(kind_of(name), SECONDS_UNKNOWN) for name in self.left)
        return sum(each) / max(1, len(self.processes))

    def count(self, kind: str) -> int:
        """Return how many tests of a kind have finished; each is reported three times."""
        return max(1, len(self.took[kind]) // 3)

    def pytest_sessionfinish(self) -> None:
        """Store the duration of each kind for the next run."""
        if self.one_line:
            self.terminal.write_line("")
        means = {kind: sum(times) / self.count(kind) for kind, times in self.took.items()}
        self.memory.parent.mkdir(exist_ok=True)
        self.memory.write_text(json.dumps(self.known | means, indent=1) + "\n", encoding="utf-8")


def kind_of(name: str) -> str:
    """Return the kind of a test: its function, whose cases take about the same time."""
    return name.partition("[")[0].partition("@")[0]


def as_time(seconds: float) -> str:
    """Return the time in minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
