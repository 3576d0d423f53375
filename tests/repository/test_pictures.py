"""The pictures of the README show this template; `make pictures` creates them."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.harness.environments import Environment
from tests.harness.variants import PROMPTS, ROOT
from tools import make_badges, make_recording

IMAGES = ROOT / "docs" / "images"
SVG = "{http://www.w3.org/2000/svg}"
DATE = re.compile(r"\b20\d\d-\d\d-\d\d|\b\d\d:\d\d")


def text_of(picture: Path) -> str:
    """Return the text in it without spaces, because a terminal breaks lines anywhere."""
    root = ET.parse(picture).getroot()  # noqa: S314
    return re.sub(r"\s", "", "".join(element.text or "" for element in root.iter(f"{SVG}text")))


def questions() -> list[str]:
    """Return each text that a person reads at the prompts, without spaces."""
    texts: list[str] = []
    for text in PROMPTS["__prompts__"].values():
        texts += [text] if isinstance(text, str) else text.values()
    return [re.sub(r"\s", "", text) for text in texts]


def test_the_recording_shows_every_question_and_a_project_that_is_set_up() -> None:
    shown = text_of(IMAGES / "generation.svg")
    assert [question for question in questions() if question not in shown] == []
    assert "cookiecutterpath/to/this/repository" in shown
    assert re.search(r"libraryisready:\d+testspassedonSQLite", shown)


def test_the_recording_shows_a_further_resource_whose_tests_pass() -> None:
    shown = text_of(IMAGES / "resource.svg")
    wishes = {name: re.sub(r"\s", "", value) for name, value in make_recording.FURTHER.items()}
    assert f'$makeresourcename={wishes["name"]}fields="{wishes["fields"]}"Adding' in shown
    assert re.search(r"\+tests\d+s\d+passed", shown)
    assert "src/library/resources/loans" in shown


@pytest.mark.parametrize("name", ["generation", "resource"])
def test_the_recordings_contain_nothing_of_their_machine_or_date(name: str) -> None:
    picture = (IMAGES / f"{name}.svg").read_text(encoding="utf-8")
    shown = text_of(IMAGES / f"{name}.svg")
    assert not DATE.search(shown)
    assert not re.search(r"/(tmp|home|root|Users|work)/", picture)
    assert not re.search(r"\d\.\d+s", shown), "seconds are rounded"


def test_a_recording_is_made_of_a_real_generation(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "make_recording.py", "--without-setup", tmp_path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    picture = tmp_path / "generation.svg"
    shown = text_of(picture)
    assert [question for question in questions() if question not in shown] == []
    assert re.search(r"libraryisgeneratedfromrelease[\d.]+:booksonSQLite,.*Next:cdlibrary", shown)
    assert "cookiecutterpath/to/this/repository--no-input--config-filelibrary/docs/" in shown
    assert "prefers-reduced-motion" in picture.read_text(encoding="utf-8")


def test_the_trace_is_that_of_a_request(environment: Environment, tmp_path: Path) -> None:
    picture = tmp_path / "trace.svg"
    tool = ROOT / "tools" / "make_trace.py"
    command: list[str | Path] = [sys.executable, tool, "--python", environment.python]
    subprocess.run([*command, picture], check=True, capture_output=True, timeout=120)

    for drawn in (picture, IMAGES / "trace.svg"):
        shown = text_of(drawn)
        assert re.match(r"POST/api/v1/books[\d.]+mswaitforaconnection[\d.]+msINSERTlibrary", shown)


def test_the_readme_shows_all() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"docs/images/[\w.-]+", text)
    drawn = ("generation.svg", "resource.svg", "trace.svg", "docs-page.png")
    assert {f"docs/images/{name}" for name in drawn} < set(shown)
    assert all((ROOT / path).exists() for path in shown)
    assert (IMAGES / "docs-page.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_badges_show_the_figures_of_the_proof() -> None:
    drawn = make_badges.badges((ROOT / "docs" / "proof.md").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(drawn) == set(IMAGES.glob("badge-*.svg"))
    for path, picture in drawn.items():
        assert path.read_text(encoding="utf-8") == picture, "run `make matrix`"
        assert f"(docs/images/{path.name})](docs/proof.md)" in readme


def test_a_badge_without_its_figure_is_an_error() -> None:
    with pytest.raises(LookupError, match=r"docs/proof\.md has nothing like .*rendered"):
        make_badges.badges("# What is proven\n")
