"""The repository itself: its documents name what exists, its scripts are valid."""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.checks.parsing import parser_of
from tests.checks.references import LINK, targets_of
from tests.harness.baked import Bake
from tests.harness.variants import PROMPTS, ROOT, VERSIONS

PROGRAMS = Path(sys.executable).parent
DOCUMENTS = sorted(ROOT.glob("*.md"))
DOCUMENTS += sorted((ROOT / "docs").glob("*.md"))
SCRIPTS = [*sorted((ROOT / "tools").glob("*.sh")), ROOT / ".ci" / "run"]
TARGETS = targets_of((ROOT / "Makefile").read_text(encoding="utf-8"))
CODE = re.compile(r"`([^`\n]+)`")
TEXT = re.MULTILINE | re.DOTALL
NEW_FILE = re.compile(r"^ *`[^`\n]+`:\n\n *```.*?^ *```$", TEXT)  # a new file in a checklist
BLOCK = re.compile(r"^```sh\n(.*?)^```", TEXT)

# A path of the repository in a document: a folder, or a file with one of these extensions.
PATH = re.compile(
    r"(?:\.ci|\.github|benchmarks|docs|hooks|tests|tools)/[\w./-]*|[\w.-]+\.(?:md|py|json|toml)"
)


def rows_of(document: str, head: str) -> list[list[str]]:
    """Return the rows of the table whose first column has this name, without its head."""
    [table] = re.findall(rf"^\| {head} \|.*\n(?:\|.*\n)+", read(ROOT / document), re.MULTILINE)
    lines = table.splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def name_of(path: Path) -> str:
    """Return the path of a file for the name of a test."""
    return path.relative_to(ROOT).as_posix()


def read(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_to_existing_files(document: Path) -> None:
    missing = [
        link for link in LINK.findall(read(document)) if not (document.parent / link).exists()
    ]
    assert not missing


@pytest.mark.parametrize(
    "document",
    # The guides name files of other applications; tests/project/test_guides.py follows them. The
    # example shows those of a generated project; test_example.py compares it.
    [each for each in DOCUMENTS if not each.name.startswith(("from-", "example"))],
    ids=name_of,
)
def test_named_files_exist(document: Path) -> None:
    template = ROOT / "{{cookiecutter.project_slug}}"
    text = NEW_FILE.sub("", read(document))
    named = {found for code in CODE.findall(text) for found in PATH.findall(code)}
    missing = {
        path
        for path in named
        if not (ROOT / path).exists() and not any(template.rglob(Path(path).name))
    }
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_named_make_targets_exist(document: Path) -> None:
    text = read(document)
    commands = [*CODE.findall(text), *"\n".join(BLOCK.findall(text)).splitlines()]
    named = {found for code in commands for found in re.findall(r"^make ([a-z][\w-]*)", code)}
    generated = {"run", "setup", "migration", "openapi", "update", "worker", "resource", "field"}
    generated |= {"shell", "seed", "lint", "types", "format"}
    assert named <= TARGETS.keys() | generated


def test_each_command_of_the_readme_is_run_by_a_test() -> None:
    """By the test that is named here, or as a part of this run."""
    demo = "project/test_installation.py::test_make_demo_serves_the_resource_until_ctrl_c"
    run_by = {
        "cookiecutter path/to/this/repository": (
            "repository/test_pictures.py::test_a_recording_is_made_of_a_real_generation"
        ),
        "cd my-service && make run": (
            "project/test_installation.py::test_the_defaults_give_a_service_that_is_set_up_and_runs"
        ),
        "make demo": demo,
        "curl -i http://127.0.0.1:5000/api/v1/items"
        """ -H "Content-Type: application/json" -d '{"name": "first"}'""": demo,
        "make test": (
            "repository/test_repository.py::test_continuous_integration_runs_the_whole_proof"
        ),
        'make test only="database=postgresql"': (
            "generation/test_variants.py::test_one_choice_can_be_proved_alone"
        ),
        "make test-fast": "repository/test_make.py::test_the_quick_tests_are_a_part_of_all",
        "make check": (
            "repository/test_make.py::test_the_code_of_the_template_is_formatted_linted_and_typed"
        ),
        "make bench": "repository/test_benchmarks.py::test_benchmark_runs_and_prints_a_table",
    }
    commands = {
        line.split("  #")[0].strip()
        for block in BLOCK.findall(read(ROOT / "README.md"))
        for line in block.splitlines()
    }
    assert commands == run_by.keys()
    for node in run_by.values():
        file, _, name = node.partition("::")
        assert f"def {name}(" in read(ROOT / "tests" / file), node


def test_the_readme_lists_every_prompt_with_its_default_and_choices() -> None:
    rows = rows_of("README.md", "prompt")
    asked = [name for name in PROMPTS if not name.startswith("_")]
    assert [row[0].strip("`") for row in rows] == asked
    for name, default, text in rows:
        answer = PROMPTS[name.strip("`")]
        if isinstance(answer, list):
            assert default == f"`{answer[0]}`"
            listed = [choice for choice in answer[1:] if f"`{choice}`" in text]
            assert listed == answer[1:] or name == "`setup`"
        elif "{{" in answer:
            assert default.startswith("from ")
        else:
            assert default == answer


def test_the_readme_names_a_proof_for_each_promise() -> None:
    rows = rows_of("README.md", "promise")
    assert len(rows) > 12
    for promise, proof in rows:
        assert (ROOT / proof.strip("`")).exists(), promise


def test_the_figures_of_the_readme_were_measured() -> None:
    measured = read(ROOT / "docs" / "benchmarks.md").splitlines()
    rows = rows_of("README.md", "what")
    assert len(rows) == 12
    assert [row for row in rows if f"| {' | '.join(row)} |" not in measured] == []


@pytest.mark.parametrize(
    "decision", re.findall(r"^## .*?(?=^## |\Z)", read(ROOT / "docs" / "decisions.md"), TEXT)
)
def test_a_decision_has_its_five_parts(decision: str) -> None:
    title, *lines = [line for line in decision.splitlines() if line]
    parts = ["Context", "Choice", "Evidence", "Cost", "Revisit"]
    assert [line.partition(":")[0] for line in lines] == [f"- {part}" for part in parts], title
    assert all(len(line.partition(": ")[2]) > 10 for line in lines), title


@pytest.mark.parametrize("target", TARGETS)
def test_recipes_are_sound(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--warn-undefined-variables", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


def test_help_lists_the_targets() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("demo", "test", "test-fast", "check", "bench"):
        assert f"make {target} " in done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_shellcheck_finds_nothing(script: Path) -> None:
    done = subprocess.run(
        [PROGRAMS / "shellcheck", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert script.stat().st_mode & 0o111


def test_continuous_integration_has_every_python_and_tests_the_oldest_and_the_newest() -> None:
    text = read(ROOT / ".github" / "workflows" / "ci.yml")
    assert f'python: ["{VERSIONS[0]}", "{VERSIONS[-1]}"]' in text
    [listed] = re.findall(r"python-version: \|\n((?: +3\.\d+\n)+)", text)
    assert tuple(listed.split()) == VERSIONS


def test_continuous_integration_runs_the_whole_proof() -> None:
    lines = [line for line in read(ROOT / ".ci" / "run").splitlines() if line[:1] != "#"]
    assert lines[0] == "set -euo pipefail"
    assert lines[-1] == "CI=true make test"
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert workflows
    for workflow in workflows:
        parser_of(workflow)(read(workflow))
        for action in re.findall(r"uses: (\S+)", read(workflow)):
            assert re.search(r"@[0-9a-f]{40}$", action), f"{action} is not pinned"
        schema = ("--builtin-schema", "github-workflows")
        for command in (("zizmor", "--offline"), ("check-jsonschema", *schema)):
            done = subprocess.run(
                [PROGRAMS / command[0], *command[1:], workflow],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("form", ["bug.yml", "change.yml", "config.yml"])
def test_issue_forms_are_valid(form: str) -> None:
    schema = f"vendor.github-issue-{'config' if form == 'config.yml' else 'forms'}"
    path = ROOT / ".github" / "ISSUE_TEMPLATE" / form
    done = subprocess.run(
        [PROGRAMS / "check-jsonschema", "--builtin-schema", schema, path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert {each.name for each in path.parent.iterdir()} == {"bug.yml", "change.yml", "config.yml"}


def releases() -> list[tuple[str, str]]:
    """Return the versions of the changelog with their texts, the newest first."""
    parts = re.split(r"^## (.+)\n", read(ROOT / "CHANGELOG.md"), flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def test_the_version_of_projects_is_the_newest_of_the_changelog() -> None:
    versions = [version for version, _ in releases()]
    assert versions[0] == PROMPTS["__version"]
    numbers = [[int(part) for part in version.split(".")] for version in versions]
    assert numbers == sorted(numbers, reverse=True)
    assert all(len(parts) == 3 for parts in numbers)


def test_each_release_says_what_an_update_does_to_a_project() -> None:
    for version, text in releases():
        assert re.search(r"^Projects: \w.{20}", text, re.MULTILINE), version


def test_the_readme_shows_the_tree_of_a_project(session_bake: Bake) -> None:
    """Every name in it exists, and every module and file of the project is in it."""
    project = session_bake()
    [tree] = re.findall(r"^```\nmy-service/\n(.*?)^```", read(ROOT / "README.md"), TEXT)
    shown = set()
    for line in tree.splitlines():
        names = re.match(r"( *)((?:\S+ )*\S+)(?:  |$)", line)
        assert names, line
        folder = project.source if len(names[1]) == 4 else project.path
        shown |= {folder / name for name in names[2].split()}
    assert [path for path in shown if not path.exists()] == []
    hidden = {".env", ".gitattributes", ".gitignore", ".github", "src"}
    there = {path for path in project.path.iterdir() if path.name not in hidden}
    there |= {path for path in project.source.iterdir() if path.name != "__pycache__"}
    assert {path for path in there if path not in shown} == set()


def test_files_copied_without_rendering_contain_no_jinja() -> None:
    """Copying takes a third of the time of rendering, but must not be used for Jinja."""
    template = ROOT / "{{cookiecutter.project_slug}}"
    files = [path for path in template.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    for pattern in PROMPTS["_copy_without_render"]:
        copied = [path for path in files if fnmatch(path.relative_to(template).as_posix(), pattern)]
        assert copied, f"{pattern} names nothing"
        own = [path for path in copied if path.suffix != ".jinja"]  # templates of resources
        assert [path for path in own if re.search(r"\{%|cookiecutter\.", read(path))] == []
