"""The benchmarks run and compare equal responses; `make bench` checks their figures."""

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.page import merged, page_of, picture, read
from benchmarks.plot import svg
from benchmarks.report import Row, Samples, Table
from tests.harness.variants import ROOT

PYTHON = ROOT / "build" / "benchmarks" / "bin" / "python"
READY = ROOT / "build" / "benchmarks" / "ready"

SAME_RESPONSES = """
import json
from urllib.parse import quote
from benchmarks.databases import database_url
from benchmarks.http import compare
from benchmarks.http.answers import compare_answers
from benchmarks.http.load import connected, get
from benchmarks.projects import baked

with baked("sqlite") as project, database_url(project) as url:
    with compare.servers(project, url) as servers:
        ids = compare.seed(servers[compare.CORE], 25)
        found = {}
        for name, server in servers.items():
            with connected(server.port, 1) as (connection,):
                one = connection.send(get(f"{compare.PATH}/{ids[3]}"))
                page = connection.send(get(f"{compare.PATH}?limit=20"))
                cursor = quote(json.loads(page[1])["next"])
                last = connection.send(get(f"{compare.PATH}?limit=20&cursor={cursor}"))
            found[name] = [[status, json.loads(body)] for status, body in (one, page, last)]
        for name, server in servers.items():
            (made,) = compare.seed(server, 1)
            with connected(servers[compare.SERVICE].port, 1) as (connection,):
                status, body = connection.send(get(f"{compare.PATH}/{made}"))
            found[name].append([status, json.loads(body)])
        found["compared"] = compare_answers(servers[compare.SERVICE], servers[compare.CONTRACT])
        print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of the benchmarks' environment."""
    subprocess.run(["make", "--quiet", str(READY.relative_to(ROOT))], cwd=ROOT, check=True)
    return PYTHON


def run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_floors_respond_with_the_representation_of_the_service(python: Path) -> None:
    found = json.loads(run(python, "-c", SAME_RESPONSES))
    compared = found.pop("compared")
    assert compared > 70
    assert len(found) == 5
    for (_, _one), (_, page), (_, _last), (_, made) in found.values():
        assert page.pop("next")  # each contender has its own format
        for name in ("id", "code", "created_at", "updated_at"):
            assert made.pop(name)
    for name, responses in found.items():
        assert responses == found["service"], name
    assert [status for status, _ in found["service"]] == [200, 200, 200, 200]
    assert found["service"][2][1]["next"] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "http",
        "tracing",
        "session",
        "isolation",
        "generation",
        "resource",
        "recipes",
        "growth",
        "jobs",
    ],
)
def test_benchmark_runs_and_prints_a_table(python: Path, name: str) -> None:
    printed = run(python, "-m", "benchmarks", "--quick", name)
    assert "verdict" in printed.splitlines()[1]


def table(ratio: float) -> Table:
    return Table("Title & more", ("detail",), [Row("a row", ratio, 2.0, ("1 us",))])


def test_bound_holds_up_to_itself() -> None:
    assert table(2.0).broken == []
    assert table(2.01).broken == ["Title & more: a row"]
    assert "BROKEN" in table(2.01).text()
    assert "| a row | 1 us | 2.01 x | 2.00 x | BROKEN |" in table(2.01).markdown()


def test_a_table_can_be_read_back_and_measured_again() -> None:
    before = read()
    assert page_of(before) == (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    drawn = (ROOT / "docs" / "images" / "benchmarks.svg").read_text(encoding="utf-8")
    assert picture(before) == drawn
    new = Table(before[1].title, (), [])
    assert merged(before, [new, table(1.0)]) == [before[0], new, *before[2:], table(1.0)]


def test_picture_is_an_image_of_all_rows_and_the_same_every_time() -> None:
    drawn = svg([table(1.5), table(2.5)])
    assert drawn == svg([table(1.5), table(2.5)])
    root = ET.fromstring(drawn)  # noqa: S314
    texts = [element.text for element in root.iter() if element.text]
    assert texts.count("a row") == 2
    assert "1.50 x" in texts


@pytest.fixture
def samples() -> Samples:
    return Samples({"ours": [2.0, 6.0, 30.0], "floor": [1.0, 2.0, 10.0]})


def test_ratio_is_taken_within_each_round(samples: Samples) -> None:
    assert samples.ratio("ours", "floor") == 3.0
    assert samples.median("ours") == 6.0
    assert samples.difference("ours", "floor") == 4.0
