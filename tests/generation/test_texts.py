"""Any text in an answer gives files that parse and contain that text, or it is rejected."""

import ast
import shutil
import tempfile
import tomllib
from functools import cache
from pathlib import Path

import pytest
from cookiecutter.generate import generate_context, generate_files
from cookiecutter.prompt import prompt_for_config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hooks.pre_gen_project import VERSION, find_errors
from tests.checks.parsing import parser_of
from tests.harness.names import HOSTILE_TEXTS
from tests.harness.variants import ROOT

EXAMPLES = 300

PIECES = st.sampled_from(
    [
        *("'", '"', "'''", '"""', "`", "\\", "\\n", "\\u", "\\N{DASH}", "{", "}", "{{", "}}"),
        *(
            "{%",
            "%}",
            "{#",
            "#}",
            "{{ 1/0 }}",
            "{% raw %}",
            "%",
            "%s",
            "$",
            "$(id)",
            "#",
            ":",
            "- ",
        ),
        *("\n", "\r", "\t", "\0", "\u2028", "\u202e", "\u200b", "\ufeff", "\ud800", "<b>", "&amp;"),
        *("🚀", "👩‍🚀", "שלום", "é", "e\u0301", "[x](y)", "|", "=", ",", "null", "true", "0"),
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=8)), min_size=1, max_size=8).map("".join)
ANSWERS = st.fixed_dictionaries(
    {}, optional={"project_name": TEXTS, "description": TEXTS, "author_name": TEXTS}
)


@cache
def parses(name: str, text: str) -> bool:
    """Parse the text of a file in its format; raises the errors of the parser."""
    parser_of(Path(name))(text)
    return True


def render(answers: dict[str, str]) -> dict[str, str] | None:
    """Return the files of the project, or None if the first hook rejects the answers."""
    given_too = {"project_slug": "my-service", "setup": "no", **answers}
    context = generate_context(str(ROOT / "cookiecutter.json"), extra_context=given_too)
    context["cookiecutter"] = prompt_for_config(context, no_input=True)
    # The version of the hook is rendered only in a generation.
    if find_errors(context["cookiecutter"] | {"__version": VERSION}):
        return None
    folder = tempfile.mkdtemp()
    try:
        project = Path(generate_files(str(ROOT), context, output_dir=folder, accept_hooks=False))
        return {
            path.relative_to(project).as_posix(): path.read_text(encoding="utf-8")
            for path in project.rglob("*")
            if path.is_file()
        }
    finally:
        shutil.rmtree(folder)


def check_files(answers: dict[str, str]) -> None:
    """Check that every file parses and that those with a text contain exactly that text."""
    files = render(answers)
    if files is None:
        return
    assert all(parses(name, text) for name, text in files.items())
    project = tomllib.loads(files["pyproject.toml"])["project"]
    constants = {
        node.value
        for node in ast.walk(ast.parse(files["src/my_service/web/about.py"]))
        if isinstance(node, ast.Constant)
    }
    meant = {
        "project_name": constants,
        "description": constants & {project["description"]},
        "author_name": {project["authors"][0]["name"]},
    }
    for name, text in answers.items():
        assert text in meant[name]


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(ANSWERS)
def test_any_text_gives_files_that_parse_or_is_rejected(answers: dict[str, str]) -> None:
    check_files(answers)


def test_hostile_texts_are_accepted() -> None:
    assert render(HOSTILE_TEXTS) is not None
    check_files(HOSTILE_TEXTS)


@pytest.mark.parametrize("name", ["project_name", "description", "author_name"])
def test_a_text_of_two_lines_is_rejected(name: str) -> None:
    assert render({name: "one\ntwo"}) is None
