"""Each check finds its error: one error of each kind is planted in a copy and found."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness.baked import Bake, BakedProject, CommandFailedError
from tests.harness.environments import Environment, requirements
from tests.harness.variants import CHOICES

from . import CHECKS, foreign_words
from .dependencies import MODULES, USED_WITHOUT_IMPORT


class Plant(NamedTuple):
    """A planted error: the check for it, the file it is appended to, and the expected message."""

    check: str
    file: str
    text: str
    said: str


PLANTS = (
    Plant("jinja_leftovers", "README.md", "Of {{ project_name }}.\n", "holds '{{'"),
    Plant("jinja_leftovers", "Makefile", "# {% if yes %}\n", "holds '{%'"),
    Plant("jinja_leftovers", "README.md", "Made by Cookiecutter.\n", "holds 'Cookiecutter'"),
    Plant("jinja_leftovers", "src/my_service/wsgi.py", 'X = "{{ x }}"\n', "holds '{{'"),
    Plant("jinja_leftovers", "docs/{{ x }}.md", "x\n", "its name holds '{{'"),
    Plant("jinja_leftovers", ".github/workflows/x.yml", "x: ${{ a }} {{ b }}\n", "holds '{{'"),
    Plant("blank_line_leftovers", "Makefile", "\n\nx:\n", "more than 1 blank lines"),
    Plant("blank_line_leftovers", "src/my_service/wsgi.py", "\n\n\nx = 1\n", "more than 2 blank"),
    Plant("blank_line_leftovers", "README.md", "x \n", "spaces at the end"),
    Plant("blank_line_leftovers", "README.md", "\n", "does not begin with text and end"),
    Plant("blank_line_leftovers", "new.md", "\nx\n", "does not begin with text and end"),
    Plant("unparsable_files", "pyproject.toml", "[project]\n", "TOMLDecodeError"),
    Plant("unparsable_files", "src/my_service/wsgi.py", "def\n", "SyntaxError"),
    Plant("unparsable_files", "src/my_service/wsgi.py", "x = '\\d'\n", "SyntaxError"),
    Plant("unparsable_files", "new.json", "{'a': 1}", "JSONDecodeError"),
    Plant("unparsable_files", "new.yaml", "a: [", "ParserError"),
    Plant("unparsable_files", "new.yml", "a: 1\na: 2\n", "are there twice"),
    Plant(
        "unparsable_files", ".env.example", "no assignment\n", "is neither a comment nor an assign"
    ),
    Plant("undeclared_imports", "src/my_service/cli.py", "import requests\n", "requests: imported"),
    Plant("undeclared_imports", "src/my_service/cli.py", "import pytest\n", "pytest: imported"),
    Plant("undeclared_imports", "tests/conftest.py", "from attrs import x\n", "attrs: imported"),
    Plant("words_of_other_options", "README.md", "Like PostgreSQL.\n", "'PostgreS' belongs to"),
    Plant("words_of_other_options", "docs/mariadb.md", "x\n", "'maria' belongs to"),
    Plant("words_of_other_options", "README.md", "By MySQL.\n", "'MySQL' belongs to"),
    Plant("words_of_other_options", "README.md", "By PyMySQL.\n", "'PyMySQL' belongs to"),
    Plant(
        "undocumented_settings", ".env.example", "# COLOUR=red\n", "COLOUR: in .env.example, and"
    ),
    Plant("dead_references", "README.md", "[x](docs/no.md)\n", "links to docs/no.md"),
    Plant("dead_references", "src/my_service/wsgi.py", "# docs/no.md\n", "names docs/no.md"),
    Plant("dead_references", "Makefile", "x:\n\tpython -m dev.no\n", "names dev/no"),
    Plant("unknown_make_targets", "README.md", "Use `make coffee`.\n", "says `make coffee`"),
    Plant("unknown_make_targets", "README.md", "```sh\nmake tea\n```\n", "says `make tea`"),
    Plant("unknown_make_targets", "Makefile", "x: coffee\n", "x needs coffee"),
    Plant(
        "commands_missing_in_agents_page",
        "Makefile",
        "tea: ## Make tea\n",
        "AGENTS.md: lacks `make tea`",
    ),
    Plant(
        "calls_of_inner_methods",
        "tests/conftest.py",
        "x.preprocess_request()\n",
        "calls preprocess",
    ),
)


@pytest.fixture(scope="session")
def sound(session_bake: Bake) -> BakedProject:
    """A project on SQLite, without errors."""
    return session_bake(database="sqlite")


@pytest.fixture
def copy(sound: BakedProject, tmp_path: Path) -> BakedProject:
    """A copy of that project, for planted errors."""
    path = tmp_path / sound.path.name
    shutil.copytree(sound.path, path)
    return BakedProject(path, sound.answers)


def plant(project: BakedProject, file: str, text: str) -> None:
    """Append the text to a file, which may be new."""
    path = project.path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as handle:
        handle.write(text)


def new_errors(check: str, sound: BakedProject, broken: BakedProject) -> list[str]:
    """Return the errors that the check finds only in the project with planted errors."""
    before = CHECKS[check](sound)
    return [error for error in CHECKS[check](broken) if error not in before]


@pytest.mark.parametrize("error", PLANTS, ids=lambda plant: f"{plant.check}-{plant.said[:24]}")
def test_a_planted_error_is_found(sound: BakedProject, copy: BakedProject, error: Plant) -> None:
    plant(copy, error.file, error.text)
    assert error.said in "\n".join(new_errors(error.check, sound, copy))


def test_an_unused_dependency_is_found(sound: BakedProject, copy: BakedProject) -> None:
    replace(copy, "pyproject.toml", '    "click', '    "attrs>=1",\n    "click')
    assert new_errors("unused_dependencies", sound, copy) == ["attrs: declared and not used"]


def test_a_dependency_that_only_tests_use_does_not_belong_to_the_service(
    sound: BakedProject, copy: BakedProject
) -> None:
    replace(copy, "pyproject.toml", '    "click', '    "pytest>=9",\n    "click')
    assert "pytest: declared twice" in new_errors("unused_dependencies", sound, copy)


def test_an_unused_tool_is_found(sound: BakedProject, copy: BakedProject) -> None:
    replace(copy, "Makefile", "mypy", "true")
    assert new_errors("unused_dependencies", sound, copy) == ["mypy: declared and not used"]


def test_an_undocumented_and_unread_setting_is_found(
    sound: BakedProject, copy: BakedProject
) -> None:
    setting = "    colour: int = 1\n"
    path = "src/my_service/base_settings.py"
    replace(copy, path, "    database_url:", f"{setting}    database_url:")
    assert new_errors("undocumented_settings", sound, copy) == [
        "COLOUR: a setting that .env.example lacks"
    ]
    assert new_errors("unread_settings", sound, copy) == ["colour: a setting that nothing reads"]


def test_text_that_is_not_utf_8_is_found(sound: BakedProject, copy: BakedProject) -> None:
    (copy.path / "new.txt").write_bytes(b"\xff\xfe")
    assert "UnicodeDecodeError" in "\n".join(new_errors("unparsable_files", sound, copy))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("ruff", "format", "--check", "--no-cache", "."), "would be reformatted"),
        (("ruff", "check", "--no-cache", "."), "F401"),
        (("mypy", "--strict"), "Incompatible types in assignment"),
    ],
)
def test_each_tool_of_the_project_finds_its_error(
    copy: BakedProject,
    environment: Environment,
    mypy_cache: Path,
    command: tuple[str, ...],
    said: str,
) -> None:
    plant(copy, "src/my_service/wsgi.py", "import os\nx : int  =  'text'\n")
    program, *arguments = command
    if program == "mypy":
        arguments += ["--cache-dir", str(mypy_cache)]
    with pytest.raises(CommandFailedError, match=said):
        copy.run(environment.program(program), *arguments)


def test_intended_text_is_not_a_leftover(sound: BakedProject, copy: BakedProject) -> None:
    plant(copy, ".github/workflows/x.yml", "x: ${{ github.ref }}\n")
    plant(copy, "src/my_service/wsgi.py", 'x = f"{{{app}}}"\ny = {"a": {"b": {}}}\n')
    plant(copy, "new.md", "```python\nx = 1\n\n\ndef y() -> None: ...\n```\n")
    plant(copy, "new.yml", "a: &a\n  b: 1\nc:\n  <<: *a\n  d: 2\n")
    for check in ("jinja_leftovers", "blank_line_leftovers", "unparsable_files"):
        assert new_errors(check, sound, copy) == []


def test_every_choice_has_its_words() -> None:
    chosen = {(prompt, choice) for prompt, choices in CHOICES.items() for choice in choices}
    assert chosen == set(foreign_words.WORDS)


def test_the_tables_of_distributions_name_only_what_the_template_declares() -> None:
    declared = {line.partition(">")[0].partition("[")[0] for line in requirements()}
    assert set(USED_WITHOUT_IMPORT) <= declared
    assert set(MODULES) <= declared


def replace(project: BakedProject, file: str, old: str, new: str) -> None:
    """Replace a text of a file; it has to exist."""
    text = project.text(file)
    assert old in text
    (project.path / file).write_text(text.replace(old, new), encoding="utf-8")
