"""Projects as a person makes them: by the command line, installed for real, run by `make`."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.harness.baked import BakedProject, clean_environment
from tests.harness.processes import until_ctrl_c, wait_for_response
from tests.harness.report import Proved
from tests.harness.servers import free_port
from tests.harness.variants import ROOT, VARIANTS, Variant

pytestmark = pytest.mark.slow

PROGRAMS = Path(sys.executable).parent
WITH_UV = {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}

# All tests of each tree run elsewhere; here most are enough, in what was installed for real.
QUICK = "args=-m 'not slow'"

# Where people keep their work.
PLACE = "Proj ü 数"

# What a machine has on which only Python, make and what belongs to every system is installed.
PROGRAMS_OF_EVERY_SYSTEM = ("make", "sh", "sed", "expand", "test", "uname", "setpriv", "env")


def generate(folder: Path, *answers: str, variables: Mapping[str, str] | None = None) -> str:
    """Generate a project by the command line and return what was printed; that has to end well."""
    folder.mkdir(parents=True, exist_ok=True)
    memory = {"COOKIECUTTER_CONFIG": str(_configuration(folder))}
    command = [PROGRAMS / "cookiecutter", ROOT, "--no-input", "--output-dir", folder, *answers]
    done = subprocess.run(
        [str(part) for part in command],
        env=clean_environment({**WITH_UV, **memory, **(variables or {})}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _configuration(folder: Path) -> Path:
    """A configuration of cookiecutter that keeps its memory out of the home folder."""
    file = folder.parent / "cookiecutter.yaml"
    file.write_text(json.dumps({"replay_dir": str(folder.parent / "replay")}), encoding="utf-8")
    return file


def project_in(folder: Path) -> BakedProject:
    """The project that was generated there with the default name."""
    return BakedProject(folder / "my-service", {"__package": "my_service"})


def count_passed(said: str) -> int:
    """How many tests a run of pytest says have passed; none may have done otherwise."""
    assert not re.search(r"\d+ (failed|skipped|error|xfailed)", said), said[-3000:]
    found = re.findall(r"(\d+) passed", said)
    assert found, said[-3000:]
    return int(found[-1])


def responses_of_two_runs(project: BakedProject, path: str, log: Path) -> list[Any]:
    """Return what `make run` serves there, twice: it is ended by Ctrl-C and started again."""
    port, responses = free_port(), []
    for _ in range(2):
        with until_ctrl_c(
            *("make", "run", f"port={port}"),
            folder=project.path,
            variables=clean_environment(WITH_UV),
            log=log,
        ):
            responses.append(json.loads(wait_for_response(port, path, log)))
    return responses


@pytest.fixture(scope="module")
def made(variant: Variant, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """The variant's project where people keep theirs; what `make` installs serves all tests."""
    folder = tmp_path_factory.mktemp("made") / PLACE
    said = generate(folder, "setup=no", *(f"{name}={value}" for name, value in variant.answers))
    assert "make run" in said
    return project_in(folder)


@pytest.mark.one_for_each_engine
@pytest.mark.besides_the_defaults
def test_make_test_passes_in_a_path_with_spaces_and_non_ascii_letters(
    made: BakedProject, variant: Variant, proved: Proved
) -> None:
    began = time.monotonic()
    done = made.run("make", "test", QUICK, variables=WITH_UV, timeout=1200)
    seconds = round(time.monotonic() - began, 1)
    tests = count_passed(done.stdout)
    proved("suite", variant=variant.short, how="make test, installed", tests=tests, seconds=seconds)


@pytest.mark.one_for_each_engine
@pytest.mark.besides_the_defaults
def test_make_run_serves_with_its_own_database(made: BakedProject, tmp_path: Path) -> None:
    ready = {"status": "ready"}
    assert responses_of_two_runs(made, "/readyz", tmp_path / "log") == [ready, ready]


@pytest.mark.parametrize("defaults", VARIANTS[:1], ids=str)
def test_the_defaults_give_a_service_that_is_set_up_and_runs(
    defaults: Variant, tmp_path: Path, proved: Proved
) -> None:
    """`cookiecutter --no-input` alone: environment, packages, commit, migration, tests."""
    folder = tmp_path / PLACE
    began = time.monotonic()
    said = generate(folder)
    seconds = round(time.monotonic() - began, 1)
    found = re.search(r"(\d+) tests passed on SQLite; `make test` runs the slow", said)
    assert found, said
    assert "make run" in said
    how = "cookiecutter --no-input"
    proved("suite", variant=defaults.short, how=how, tests=int(found[1]), seconds=seconds)

    project = project_in(folder)
    assert project.run("git", "status", "--porcelain").stdout == ""
    page: dict[str, Any] = {"items": [], "next": None}
    assert responses_of_two_runs(project, "/api/v1/items", tmp_path / "log") == [page, page]

    began = time.monotonic()
    checked = project.run("make", "check", variables=WITH_UV, timeout=600)
    seconds = round(time.monotonic() - began, 1)
    tests = count_passed(checked.stdout)
    proved("suite", variant=defaults.short, how="make check", tests=tests, seconds=seconds)
    fast = project.run("make", "test-fast", "args=--collect-only -q", variables=WITH_UV)
    assert f"{found[1]}/{tests} tests collected" in fast.stdout, fast.stdout[-2000:]


def test_make_demo_serves_the_resource_until_ctrl_c(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    with until_ctrl_c(
        *(ROOT / "tools" / "demo.sh", tmp_path / "demo", str(port)),
        folder=ROOT,
        variables=clean_environment({}),
        log=log,
    ):
        page = json.loads(wait_for_response(port, "/api/v1/items", log, seconds=300))
    assert page == {"items": [], "next": None}
    assert f"http://127.0.0.1:{port}/api/v1/items" in log.read_text()


def test_pip_sets_up_a_project_without_uv(tmp_path: Path, proved: Proved) -> None:
    """A machine that has Python and make, and neither uv nor git."""
    folder = tmp_path / "projects"
    generate(folder, "setup=no")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS_OF_EVERY_SYSTEM:
        (programs / name).symlink_to(shutil.which(name) or f"/no/{name}")
    (programs / "python3").symlink_to(Path(sys.executable).resolve())
    began = time.monotonic()
    variables = {"PATH": str(programs)}
    done = project_in(folder).run("make", "setup", variables=variables, timeout=900)
    found = re.search(r"(\d+) tests passed on SQLite", done.stdout)
    assert found, done.stdout
    seconds = round(time.monotonic() - began, 1)
    proved("suite", variant="the defaults", how="by pip", tests=int(found[1]), seconds=seconds)


def test_a_set_up_without_a_network_keeps_the_project_and_exits_with_0(tmp_path: Path) -> None:
    variables = {
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",  # nobody listens there
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_HTTP_RETRIES": "0",
    }
    said = generate(tmp_path / PLACE, variables=variables)

    assert re.search(r"The step 'packages' failed: there is no connection \(.+\)\. All files", said)
    assert said.endswith(f"{PLACE}/my-service'\n  make setup\n\n")
    project = project_in(tmp_path / PLACE)
    assert project.text("pyproject.toml")
    assert (project.path / ".env").exists()
