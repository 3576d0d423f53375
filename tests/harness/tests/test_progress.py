"""The progress of a long run."""

from pathlib import Path

import pytest

from tests.harness.progress import A_VARIANT, Progress, as_time, kind_of

VARIANT = f"tests/generation/test_variants.py{A_VARIANT}"
NAMES = [f"{VARIANT}one]", f"{VARIANT}two]", "tests/test_x.py::test_y"]


class Written:
    """A terminal that stores its output."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, content: str) -> None:
        """Write without starting a line."""
        self.text += content

    def write_line(self, line: str) -> None:
        """Write a line."""
        self.text += f"{line}\n"


def finish(progress: Progress, name: str, *, seconds: float = 6, failed: bool = False) -> None:
    """Report the end of a test."""
    for when in ("setup", "call", "teardown"):
        report = pytest.TestReport(
            nodeid=name,
            location=("", None, ""),
            keywords={},
            outcome="failed" if failed and when == "call" else "passed",
            longrepr=None,
            when=when,
            duration=seconds / 3,
        )
        progress.pytest_runtest_logreport(report)


@pytest.fixture
def terminal() -> Written:
    """A terminal that stores its output."""
    return Written()


def test_finished_and_failed_tests_are_counted(terminal: Written, tmp_path: Path) -> None:
    progress = Progress(terminal, tmp_path / "memory", one_line=True)
    progress.begin(NAMES)
    finish(progress, NAMES[1], failed=True)
    assert "variants 1 of 2, tests 1 of 3, failed 1; about 0:08 left" in terminal.text
    finish(progress, NAMES[2])
    finish(progress, NAMES[0])
    assert "variants 2 of 2, tests 3 of 3, failed 1; about 0:00 left" in terminal.text
    assert "\n" not in terminal.text


def test_the_time_left_is_estimated_from_the_last_run(terminal: Written, tmp_path: Path) -> None:
    for seconds in (120, 1):
        progress = Progress(terminal, tmp_path / "memory", one_line=True)
        progress.begin(NAMES)
        finish(progress, NAMES[2], seconds=60)
        finish(progress, NAMES[0], seconds=seconds)
        progress.pytest_sessionfinish()
    again = Progress(terminal, tmp_path / "memory", one_line=True)
    again.processes = {"first", "second"}
    again.begin(NAMES)
    assert again.seconds_left() == pytest.approx((60 + 1 + 1) / 2)


def test_without_a_terminal_lines_are_printed_now_and_then(
    terminal: Written, tmp_path: Path
) -> None:
    progress = Progress(terminal, tmp_path / "memory", one_line=False)
    progress.begin(NAMES)
    finish(progress, NAMES[0])
    assert terminal.text == ""
    progress.said -= 60
    finish(progress, NAMES[1])
    assert terminal.text.count("\n") == 1


def test_cases_of_one_function_are_of_the_same_kind() -> None:
    assert kind_of("tests/test_x.py::test_y[a@b]@group") == "tests/test_x.py::test_y"
    assert kind_of("tests/test_x.py::test_y@group") == "tests/test_x.py::test_y"
    assert as_time(125.4) == "2:05"
