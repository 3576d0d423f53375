"""The filters give exact literals, and answers are never executed as Jinja."""

import ast
import json
import subprocess
import tomllib
from fnmatch import fnmatch
from types import MethodType

import pytest
import yaml
from cookiecutter.exceptions import EmptyDirNameException
from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment, FileSystemLoader, StrictUndefined, UndefinedError
from ruff import find_ruff_bin

from local_extensions import (
    PlainTemplate,
    TemplateExtension,
    class_name,
    json_string,
    package,
    plural,
    python_string,
    slug,
    toml_string,
    yaml_string,
)
from tests.harness.minimal_template import TEMPLATE as PROJECT
from tests.harness.variants import PROMPTS, ROOT, VARIANTS, Variant

characters = st.characters(exclude_categories=["Cs"])
hard_characters = st.sampled_from("\"'\\{}%#$`\n\r\t\0\x7f\x85\u2028\u200f\u202e\ufeff\ufffe🚀é")
texts = st.text(st.one_of(characters, hard_characters), max_size=40)
jinja_texts = st.lists(
    st.sampled_from(["{{", "}}", "{%", "%}", "{#", "#}", "{", "\\", '"', "'", "\n", "raw", " x "])
).map("".join)


def environment() -> Environment:
    """Return Jinja as cookiecutter configures it for this template."""
    return Environment(
        extensions=[TemplateExtension],
        autoescape=False,  # noqa: S701
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@given(texts)
def test_a_python_string_means_the_text(text: str) -> None:
    assert ast.literal_eval(python_string(text)) == text


@settings(max_examples=5)
@given(st.lists(texts, min_size=100, max_size=200))
def test_ruff_format_leaves_a_python_string_as_it_is(many: list[str]) -> None:
    source = "".join(f"texts = {python_string(text)}\n" for text in many)
    command = [find_ruff_bin(), "format", "--isolated", "--stdin-filename", "texts.py", "-"]
    done = subprocess.run(command, input=source.encode(), capture_output=True, check=True)
    assert done.stdout.decode() == source


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", '"plain"'),
        ("it's", '"it\'s"'),
        ('say "yes"', "'say \"yes\"'"),
        ("""'"'""", '''"'\\"'"'''),
        ("back\\slash", '"back\\\\slash"'),
        ("🚀 שלום", '"🚀 שלום"'),
        ("hidden\u202edirection", '"hidden\\u202edirection"'),
        ("half \ud83d", '"half \\ud83d"'),
    ],
)
def test_a_python_string_reads_well(text: str, literal: str) -> None:
    assert python_string(text) == literal


@given(texts)
def test_a_json_string_means_the_text(text: str) -> None:
    assert json.loads(json_string(text)) == text


@given(texts)
def test_a_toml_string_means_the_text(text: str) -> None:
    assert tomllib.loads(f"text = {toml_string(text)}")["text"] == text


@given(texts)
def test_a_yaml_string_means_the_text(text: str) -> None:
    assert yaml.safe_load(f"text: {yaml_string(text)}")["text"] == text


@pytest.mark.parametrize("literal", [toml_string, yaml_string])
def test_a_lone_surrogate_has_no_literal_in_a_file(literal: object) -> None:
    assert callable(literal)
    with pytest.raises(ValueError, match="lone surrogate"):
        literal("\ud83d")


@given(st.one_of(texts, jinja_texts))
def test_a_text_outside_of_files_stays_itself(text: str) -> None:
    assert environment().from_string(text).render(cookiecutter={}) == text


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("{{cookiecutter.name}}", "A B"),
        ("src/{{ cookiecutter.name | slug }}/{{x}}", "src/a-b/{{x}}"),
        ("{{ cookiecutter.name | replace('A', 'C') | lower }}", "c b"),
        ("{{ cookiecutter.other | default('') }}", ""),
        ("{{ cookiecutter | tojson }}", '{"name": "A B"}'),
        ("{{ cookiecutter.name.__class__ }}", "{{ cookiecutter.name.__class__ }}"),
        ("{{ cookiecutter.name | map(attribute='x') }}", None),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
        ("{% if true %}x{% endif %}", "{% if true %}x{% endif %}"),
        ("{{{cookiecutter.name}}}", "{A B}"),
    ],
)
def test_only_plain_expressions_are_rendered_outside_of_files(
    source: str, rendered: str | None
) -> None:
    expected = source if rendered is None else rendered
    assert environment().from_string(source).render(cookiecutter={"name": "A B"}) == expected


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("plain\n", "plain\n"),
        ("{{ cookiecutter.name }}\n{{cookiecutter.name | lower}}", "A B\na b"),
        ("{% if true %}{{ 7 * 7 }}{% endif %}", "49"),
        ("a\n  {% if true %}\n  b\n  {% endif %}\n", "a\n  b\n"),
        ("{{ cookiecutter.name[0] }}", "A"),
        ("{# nothing #}x", "x"),
        ("{% include 'part' %}", "<A B>"),
        ("{% extends 'whole' %}{% block inner %}x{% endblock %}", "[x]"),
        ("{% raw %}${{ github.ref }}{% endraw %}", "${{ github.ref }}"),
    ],
)
def test_files_are_rendered_as_jinja_does(source: str, rendered: str) -> None:
    jinja = environment()
    files = {"file": source, "part": "<{{ cookiecutter.name }}>"}
    jinja.loader = DictLoader({**files, "whole": "[{% block inner %}{% endblock %}]"})
    assert jinja.get_template("file").render(cookiecutter={"name": "A B"}) == rendered


def rendered_files() -> list[str]:
    """Return the names of the template's files that cookiecutter renders."""
    files = (path for path in PROJECT.rglob("*") if path.is_file() and path.suffix != ".pyc")
    names = (path.relative_to(PROJECT).as_posix() for path in files)
    copied = PROMPTS["_copy_without_render"]
    return [name for name in names if not any(fnmatch(name, pattern) for pattern in copied)]


@pytest.mark.parametrize("chosen", [VARIANTS[0], VARIANTS[-1]], ids=str)
def test_files_are_the_same_without_faster_files(chosen: Variant) -> None:
    faster, jinja = (environment() for _ in range(2))
    for each in (faster, jinja):
        each.loader = FileSystemLoader([PROJECT, ROOT / "templates"])
        each.undefined = StrictUndefined
    jinja.get_template = MethodType(Environment.get_template, jinja)  # type: ignore[method-assign]
    context = generate_context(str(ROOT / "cookiecutter.json"), extra_context=chosen.choices)
    answers = {"cookiecutter": prompt_for_config(context, no_input=True)}

    for name in rendered_files():
        expected = jinja.get_template(name).render(answers)
        assert faster.get_template(name).render(**answers) == expected, name


def test_faster_files_serve_most_files() -> None:
    """Where this fails, `FasterFiles` gains little: remove it."""
    jinja = environment()
    jinja.loader = FileSystemLoader(PROJECT)

    names = rendered_files()
    plain = [name for name in names if isinstance(jinja.get_template(name), PlainTemplate)]

    assert len(plain) > len(names) / 2


def test_a_missing_value_is_an_error() -> None:
    jinja = environment()
    jinja.undefined = StrictUndefined
    with pytest.raises(UndefinedError):
        jinja.from_string("{{ cookiecutter.other }}").render(cookiecutter={})


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("item", "items"),
        ("category", "categories"),
        ("box", "boxes"),
        ("day", "days"),
        ("status", "statuses"),
        ("branch", "branches"),
        ("dish", "dishes"),
        ("quiz", "quizzes"),
        ("key", "keys"),
        ("person", "people"),
        ("order_line", "order_lines"),
        ("sales_person", "sales_people"),
        ("photo", "photos"),
        ("y", "ys"),
    ],
)
def test_plurals(one: str, many: str) -> None:
    assert plural(one) == many


@pytest.mark.parametrize(
    ("text", "name"),
    [("My Service", "my-service"), ("Größe & Co.", "grosse-co"), ("🚀", "my-service")],
)
def test_a_name_always_gives_a_slug(text: str, name: str) -> None:
    assert slug(text) == name


@pytest.mark.parametrize(("name", "expected"), [("item", "Item"), ("order_line", "OrderLine")])
def test_class_names(name: str, expected: str) -> None:
    assert class_name(name) == expected


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\\b", "/a", "a\0"])
def test_a_slug_that_does_not_name_a_new_folder_is_rejected_at_once(name: str) -> None:
    with pytest.raises(EmptyDirNameException, match="is not valid: it has to name one new folder"):
        package(name)
