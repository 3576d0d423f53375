"""A general mutation run of the generated service: `make mutants only="pagination"`.

mutmut changes one place of the package after the other and runs the quick tests that call the
changed function. Survivors are tried again with all quick tests in a new process: there the code of
modules runs again, and no cache of an earlier test hides a function. A run takes about an hour, so
continuous integration skips it.

A mutant that still survives is listed in equivalent_mutants.toml with the reason why no test can
see it, or it lowers the score.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from cookiecutter.main import cookiecutter

from tests.harness.api_document import write_api_document
from tests.harness.baked import BakedProject, clean_environment
from tests.harness.environments import Environment, mutation_environment
from tests.harness.variants import ROOT

FOLDER = ROOT / "build" / "mutation"
EQUIVALENTS = Path(__file__).with_name("equivalent_mutants.toml")
SERVICE = "src/my_service"
MIN_SCORE = 90.0
SECONDS = 300

# Programs that a test starts do not know the active mutant, or fail because of mutmut's code.
NOT_IN_PROCESS = "tests/test_settings.py::test_programs_exit_with_the_errors_in_the_settings"
OPTIONS = (
    *("-m", "not slow", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist"),
    *("-p", "no:schemathesis", "--ignore=tests/web/test_schemathesis.py"),
    f"--deselect={NOT_IN_PROCESS}",
)
CONFIGURATION = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {files}
do_not_mutate = ["{service}/migrations/*"]
also_copy = ["dev", "docs", "gunicorn.conf.py", "Makefile", "openapi.json", ".env.example", "README.md"]
pytest_add_cli_args = {options}
process_isolation = "forkserver"
use_git_change_detection = false
"""  # noqa: E501  one line of TOML

SURVIVED, NEVER_REACHED = 0, 33
"""Exit codes of mutmut: the tests passed, or no test called the function."""


class Change(NamedTuple):
    """The change of a mutant: the module, and the text before and after."""

    module: str
    old: str
    new: str


def main(only: str) -> int:
    """Run all mutants and print the survivors; return 1 if the score is too low."""
    project = bake()
    environment = mutation_environment(ROOT / "build")
    write_api_document(project, environment)  # the tests without a mutant have to pass
    configure(project, only)
    workers = os.cpu_count() or 1
    project.run(
        *(environment.program("mutmut"), "run", "--max-children", str(workers)),
        variables=environment.variables,
        timeout=6 * 3600,
    )
    results = results_of(project)
    print(f"{len(results)} mutants; those that survived are tried again, with all quick tests.")
    doubtful = [name for name, code in results.items() if code in {SURVIVED, NEVER_REACHED}]
    changes = {name: change_of(project, environment, name) for name in doubtful}
    unseen = [change for change in changes.values() if change in equivalents()]
    others = [name for name, change in changes.items() if change not in unseen]
    with ThreadPoolExecutor(workers) as threads:
        outcomes = threads.map(lambda name: is_seen(project, environment, name), others)
        unseen += [changes[name] for name, seen in zip(others, outcomes, strict=True) if not seen]
    return report(len(results), unseen)


def bake() -> BakedProject:
    """Generate the project with the defaults again."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    options = {"no_input": True, "extra_context": {"setup": "no"}, "output_dir": str(FOLDER)}
    configuration = FOLDER / "cookiecutter.json"
    configuration.write_text(json.dumps({"replay_dir": str(FOLDER)}), encoding="utf-8")
    made = cookiecutter(str(ROOT), config_file=str(configuration), **options)
    return BakedProject(Path(made), {"__package": "my_service", "database": "sqlite"})


def configure(project: BakedProject, only: str) -> None:
    """Configure which modules mutmut changes and how it runs the tests."""
    names = [name.removesuffix(".py") for name in only.split()] or ["*"]
    text = CONFIGURATION.format(
        files=json.dumps([f"{SERVICE}/{name}.py" for name in names]),
        service=SERVICE,
        options=json.dumps(OPTIONS),
    )
    with (project.path / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(text)


def results_of(project: BakedProject) -> dict[str, int]:
    """Return the exit code of the tests for each mutant."""
    found: dict[str, int] = {}
    for file in sorted((project.path / "mutants" / "src").rglob("*.meta")):
        found |= json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
    unknown = [name for name, code in found.items() if code is None]
    if unknown:
        raise RuntimeError(f"mutmut did not try {unknown}")
    return found


def is_seen(project: BakedProject, environment: Environment, name: str) -> bool:
    """Return whether any quick test fails or hangs for the mutant."""
    try:
        done = subprocess.run(
            [str(environment.python), "-m", "pytest", "-x", "-q", *OPTIONS],
            cwd=project.path / "mutants",
            env=clean_environment({**environment.variables, "MUTANT_UNDER_TEST": name}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def change_of(project: BakedProject, environment: Environment, name: str) -> Change:
    """Return the change of the mutant."""
    shown = project.run(
        environment.program("mutmut"), "show", name, variables=environment.variables
    )
    module = "/".join(name.split(".")[1:-1])
    return Change(module, *sides_of(shown.stdout))


def sides_of(difference: str) -> tuple[str, str]:
    """Return the text before and after from a difference in the format of `diff -u`."""
    lines = [line for line in difference.splitlines() if not re.match(r"---|\+\+\+|#", line)]
    before, after = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return before, after


def equivalents() -> Mapping[Change, str]:
    """Return the changes that no test can see, with the reasons."""
    table = tomllib.loads(EQUIVALENTS.read_text(encoding="utf-8"))
    return {
        Change(each["module"], each["old"], each["new"]): reason["why"]
        for reason in table["reason"]
        for each in reason["changes"]
    }


def report(total: int, survivors: Collection[Change]) -> int:
    """Print the score and each survivor; return 1 if the score is too low."""
    known = equivalents()
    equivalent = [change for change in survivors if change in known]
    others = [change for change in survivors if change not in known]
    for change in others:
        print(f"\n{change.module}\n- {change.old}\n+ {change.new}")
    killed = total - len(equivalent) - len(others)
    score = 100 * killed / max(1, total - len(equivalent))
    print(
        f"\n{total} mutants: {killed} seen by the tests, {len(equivalent)} equivalent,"
        f" {len(others)} survived; {score:.1f} % of those that can be seen"
    )
    return int(score < MIN_SCORE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Change the service, and see its tests fail.")
    parser.add_argument(
        "only", nargs="?", default="", help="modules, such as 'web/pagination database/session'"
    )
    sys.exit(main(parser.parse_args().only))
