"""The table lists what was proved, and a skipped test is not a passed one."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.variants import COMBINATIONS, ROOT, UNSUPPORTED

pytestmark = pytest.mark.slow

TESTS = """
import pytest

def test_proves_something(proved):
    proved("suite", variant="x=y", how="here", tests=7, seconds=1.25, coverage=100.0)
    proved("mutants by rule", engine="x", tried=10, seen=9, survivors="a bound")

@pytest.mark.parametrize("variant", ["x=y", "x=z"])
def test_looks(proved, variant):
    proved("static", variant=variant, tree="x=y")

@pytest.mark.parametrize("engine", ["mariadb", "sqlite"])
def test_changes(proved, engine):
    proved("schema change", engine=engine, change="a table goes", sql=["DROP TABLE orders"])
    if engine == "sqlite":
        proved("schema change", engine=engine, change="a table comes", sql=["CREATE TABLE orders"])

def test_fails(proved):
    proved("suite", variant="x=z", how="here", tests=9, seconds=1.25)
    assert {works}

{skips}
def test_may_be_left_out():
    pass
"""
SKIPPED = "@pytest.mark.skip(reason='no engine')"


def run(folder: Path, *options: str, works: bool = True, skips: str = "") -> tuple[int, str]:
    """Run these tests in a new process and return its status and output."""
    file = folder / "test_of_the_report.py"
    file.write_text(TESTS.format(works=works, skips=skips), encoding="utf-8")
    plugin = (
        "-p",
        "tests.harness.report",
        "-p",
        "no:cacheprovider",
        "--proof",
        str(folder / "proof.json"),
    )
    command = [sys.executable, "-m", "pytest", "--rootdir", str(folder), *plugin, *options]
    done = subprocess.run(
        [*command, str(file)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_the_table_and_its_file_agree(tmp_path: Path) -> None:
    status, said = run(tmp_path)
    assert status == 0
    proof = json.loads((tmp_path / "proof.json").read_text())
    assert (proof["passed"], proof["failed"], proof["skipped"]) == (7, 0, [])
    assert proof["combinations"] == len(COMBINATIONS)
    assert proof["unsupported"] == len(UNSUPPORTED)
    assert proof["variants"] == 2
    assert [suite["tests"] for suite in proof["suites"]] == [7, 9]
    assert "variants rendered and checked: 2" in said
    assert proof["distinct trees"] == 1
    assert re.search(r"^x=y \(here\) +7 +1\.2 +100\.0 %$", said, re.MULTILINE)
    assert "tests: 7 passed, 0 failed; skipped: nothing" in said
    assert "mutants by rule that generated tests saw: 9 of 10 on x; not seen: a bound" in said


def test_a_schema_change_has_a_word_for_each_engine_and_its_sql(tmp_path: Path) -> None:
    _, said = run(tmp_path)
    lines = said.splitlines()
    begins = next(number for number, line in enumerate(lines) if line.startswith("schema change "))
    assert [line.split() for line in lines[begins : begins + 3]] == [
        ["schema", "change", "mariadb", "sqlite"],
        ["a", "table", "comes", "absent", "proved"],
        ["a", "table", "goes", "proved", "proved"],
    ]
    proof = json.loads((tmp_path / "proof.json").read_text())
    assert proof["schema changes"][0]["sql"] == ["DROP TABLE orders"]


def test_entries_of_all_workers_are_collected(tmp_path: Path) -> None:
    status, _ = run(tmp_path, "-n", "2")
    assert status == 0
    assert json.loads((tmp_path / "proof.json").read_text())["variants"] == 2


def test_a_failed_test_proves_nothing(tmp_path: Path) -> None:
    status, said = run(tmp_path, works=False)
    assert status == 1
    assert "FAILED" in said.partition(" the proof ")[0]
    assert "x=z (here)" not in said


def test_a_skipped_test_is_named_and_fails_the_run_on_request(tmp_path: Path) -> None:
    status, said = run(tmp_path, skips=SKIPPED)
    assert status == 0
    assert "test_may_be_left_out" in said.partition("skipped: ")[2]
    status, _ = run(tmp_path, "--no-skips", skips=SKIPPED)
    assert status == 1


def test_a_missing_interpreter_is_named_and_fails_the_run_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = tmp_path / "with_another_version.py"
    plugin.write_text(
        "from tests.harness import environments\nenvironments.VERSIONS += ('3.99',)\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    status, said = run(tmp_path, "-p", plugin.stem)
    assert status == 0
    assert re.search(r"interpreters: .*not found: .*3\.99$", said, re.MULTILINE)
    status, _ = run(tmp_path, "-p", plugin.stem, "--no-skips")
    assert status == 1


def test_the_cpu_of_each_part_is_shown_and_added_up(tmp_path: Path) -> None:
    _, said = run(tmp_path, "-n", "2")
    proof = json.loads((tmp_path / "proof.json").read_text())
    parts = {part["part"].rpartition("::")[2]: part for part in proof["parts"]}
    assert parts["test_looks"]["tests"] == 2
    used = {
        line.split()[0].rpartition("::")[2]: line.split()[1:] for line in said.splitlines() if line
    }
    assert used["test_looks"] == ["2", str(parts["test_looks"]["CPU seconds"])]
    total = sum(part["CPU seconds"] for part in proof["parts"])
    assert used["all"] == ["parts", f"{total:.1f}"]
