"""The prompts: each has a text, defaults are derived, and any printable text is unchanged."""

import ast
import importlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_cookies.plugin import Cookies

from hooks import post_gen_project, pre_gen_project
from hooks.pre_gen_project import MAX_TEXT_LENGTHS, find_errors
from local_extensions import EXPRESSION, load_generator
from tests.harness.minimal_template import ROOT, TEXTS, write_minimal_template

CONTEXT: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
PROMPTS: dict[str, Any] = CONTEXT["__prompts__"]
ASKED = [name for name in CONTEXT if not name.startswith("_")]

printable = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
hard = st.sampled_from(["{{", "}}", "{%", "%}", "{#", "#}", "'", '"', "'''", '"""', "\\", "\\n"])
texts = st.lists(st.one_of(hard, printable), min_size=1, max_size=30).map("".join)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small template: do not change it."""
    return write_minimal_template(tmp_path_factory.mktemp("template"))


def derive(**answers: str) -> dict[str, Any]:
    """Return all values for these answers, private ones included."""
    context = generate_context(str(ROOT / "cookiecutter.json"), extra_context=answers)
    return dict(prompt_for_config(context, no_input=True))


def test_every_prompt_has_a_text_and_every_text_a_prompt() -> None:
    assert list(PROMPTS) == ASKED


@pytest.mark.parametrize("name", [name for name in ASKED if isinstance(CONTEXT[name], list)])
def test_every_choice_says_when_to_take_it(name: str) -> None:
    assert list(PROMPTS[name]) == ["__prompt__", *CONTEXT[name]]
    assert all(len(text) > len(choice) + 10 for choice, text in PROMPTS[name].items())


@pytest.mark.parametrize(
    ("name", "maximum"),
    [
        *MAX_TEXT_LENGTHS.items(),
        ("project_slug", pre_gen_project.MAX_SLUG_LENGTH),
        ("resource", load_generator().names.MAX_NAME),
        ("resource_plural", load_generator().names.MAX_PLURAL),
    ],
)
def test_a_prompt_states_its_maximum(name: str, maximum: int) -> None:
    assert f"at most {maximum} characters" in PROMPTS[name]


def test_set_up_is_asked_last() -> None:
    assert ASKED[-1] == "setup"


def test_defaults_contain_only_plain_expressions() -> None:
    derived = [text for text in CONTEXT.values() if isinstance(text, str) and "{" in text]
    assert derived
    assert all(EXPRESSION.fullmatch(text) for text in derived)


@pytest.mark.parametrize("hook", [pre_gen_project, post_gen_project])
def test_hooks_contain_only_plain_expressions(hook: object) -> None:
    source = Path(str(getattr(hook, "__file__", ""))).read_text(encoding="utf-8")
    assert EXPRESSION.search(source)
    assert "{{" not in EXPRESSION.sub("", source)


VERSION = {"__version": pre_gen_project.VERSION}
"""The private value that only a generation renders."""


def test_the_defaults_are_accepted() -> None:
    assert find_errors(derive() | VERSION) == []


def test_private_values_are_derived() -> None:
    values = derive(project_name="Größe & Co", resource="order_line", database="mariadb")

    assert values["project_slug"] == "grosse-co"
    assert values["resource_plural"] == "order_lines"
    assert values["__package"] == "grosse_co"
    assert values["__class"] == "OrderLine"
    assert values["__label"] == "order line"
    assert values["__label_plural"] == "order lines"
    assert values["__engine"] == "MariaDB"


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(answers=st.fixed_dictionaries({name: texts for name in TEXTS if name != "author_email"}))
def test_any_printable_text_is_unchanged_in_every_format(
    answers: dict[str, str], cookies: Cookies, template: Path
) -> None:
    given_answers = {**answers, "project_slug": "my-service", "setup": "no"}
    result = cookies.bake(extra_context=given_answers, template=str(template))

    if find_errors({**derive(), **VERSION, **given_answers}):
        assert result.exit_code == -1
        assert result.project_path is None
        return
    assert result.exit_code == 0, result.exception
    expected = {**answers, "author_email": CONTEXT["author_email"]}
    module = ast.parse((result.project_path / "texts.py").read_text(encoding="utf-8"))
    in_python = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert in_python == expected
    assert tomllib.loads((result.project_path / "texts.toml").read_text("utf-8")) == expected
    assert yaml.safe_load((result.project_path / "texts.yaml").read_text("utf-8")) == expected


def test_answers_are_never_executed(cookies: Cookies, template: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    shell = f"cycler.__init__.__globals__.os.mkdir({str(victim)!r})"
    answers = {
        "project_name": "{{ " + shell + " }}",
        "description": "{% set _ = " + shell + " %}",
        "author_name": f"''' + str(__import__('os').mkdir({str(victim)!r})) + '''",
        "project_slug": "my-service",
        "setup": "no",
    }
    answers = {name: text[: MAX_TEXT_LENGTHS.get(name, 99)] for name, text in answers.items()}

    result = cookies.bake(extra_context=answers, template=str(template))

    assert result.exit_code == 0, result.exception
    assert not victim.exists()
    content = tomllib.loads((result.project_path / "texts.toml").read_text(encoding="utf-8"))
    assert content["project_name"] == answers["project_name"]
    assert content["description"] == answers["description"]


def test_importing_the_hooks_does_nothing() -> None:
    for hook in (pre_gen_project, post_gen_project):
        importlib.reload(hook)
