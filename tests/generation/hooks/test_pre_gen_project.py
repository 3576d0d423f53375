"""The first hook rejects every answer that would give a broken project, and no other."""

import json
import keyword
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_cookies.plugin import Cookies

import local_extensions
from hooks import pre_gen_project
from hooks.pre_gen_project import (
    DEPENDENCIES,
    PROJECT_FOLDERS,
    STANDARD_LIBRARY,
    WINDOWS_DEVICES,
    Combination,
    ErrorItem,
    explain,
    find_errors,
)

GOOD = {
    "project_name": "My Service",
    "project_slug": "my-service",
    "description": "A REST service.",
    "author_name": "Your Name",
    "author_email": "you@example.com",
    "resource": "item",
    "resource_plural": "items",
    "fields": "name:string",
    "database": "sqlite",
    "auth": "none",
    "background_jobs": "none",
    "deployment": "docker",
    "ci": "github",
    "license": "MIT",
    "setup": "no",
    "__specification_errors": "[]",
}

TEXTS = {
    *("project_name", "project_slug", "description", "author_name", "author_email"),
    *("resource", "resource_plural", "fields"),
}

SLUG_FORM = "is not made of a-z, 0-9 and single hyphens"
NAME_FORM = "is not made of a-z, 0-9 and single underscores"
INVALID_ANSWERS = [
    ("project_slug", "My-Service", SLUG_FORM),
    ("project_slug", "1service", SLUG_FORM),
    ("project_slug", "-service", SLUG_FORM),
    ("project_slug", "my--service", SLUG_FORM),
    ("project_slug", "my service", SLUG_FORM),
    ("project_slug", "my.service", SLUG_FORM),
    ("project_slug", "größe", SLUG_FORM),
    ("project_slug", "my-service\n", SLUG_FORM),
    ("project_slug", "../my-service", SLUG_FORM),
    ("project_slug", "a" * 41, "is longer than 40 characters (41)"),
    ("project_slug", "class", "is a keyword of Python"),
    ("project_slug", "match", "is a keyword of Python"),
    ("project_slug", "json", "is a module of Python's standard library"),
    ("project_slug", "test", "is a module of Python's standard library"),
    ("project_slug", "flask", "is a library that the service uses"),
    ("project_slug", "flask-openapi", "is a library that the service uses"),
    ("project_slug", "click", "is a library that the service uses"),
    ("project_slug", "factory-boy", "is a library that the service uses"),
    ("project_slug", "tests", "is the name of another folder of the project"),
    ("project_slug", "dev", "is the name of another folder of the project"),
    ("project_slug", "nul", "is the name of a device on Windows"),
    ("resource", "Item", NAME_FORM),
    ("resource", "_item", NAME_FORM),
    ("resource", "order-line", NAME_FORM),
    ("resource", "order__line", NAME_FORM),
    ("resource", "2nd_item", NAME_FORM),
    ("resource", "naïve", NAME_FORM),
    ("resource", "", NAME_FORM),
    ("resource", "i" * 31, "is longer than 30 characters (31)"),
    ("resource", "import", "is a keyword of Python"),
    ("resource", "base", "gives the class Base, which the service has already"),
    ("resource", "problem", "gives the class Problem"),
    ("resource", "session", "makes the name Session, which routes.py uses for something else"),
    ("resource", "page", "makes the name PageQuery"),
    ("resource", "value_error", "gives the class ValueError"),
    ("resource", "warning", "gives the class Warning"),
    ("resource_plural", "Items", NAME_FORM),
    ("resource_plural", "order-lines", NAME_FORM),
    ("resource_plural", "i" * 33, "is longer than 32 characters (33)"),
    ("resource_plural", "item", "is equal to the name of one"),
    ("resource_plural", "import", "is a keyword of Python"),
    ("resource_plural", "idempotency_keys", "is a table of the service itself"),
    ("resource_plural", "conftest", "is a module beside those of the resources"),
    ("resource_plural", "returning", "is a word that sqlite reserves"),
    ("resource_plural", "sqlite_things", "begins with sqlite_"),
    ("resource_plural", "lpt1", "is the name of a device on Windows"),
    ("author_email", "nobody", "is not an e-mail address"),
    ("author_email", "", "is not an e-mail address"),
    ("author_email", "a@b", "is not an e-mail address"),
    ("author_email", "a@b@example.com", "is not an e-mail address"),
    ("author_email", "a b@example.com", "is not an e-mail address"),
    ("author_email", ".a@example.com", "is not an e-mail address"),
    ("author_email", "a..b@example.com", "is not an e-mail address"),
    ("author_email", "a@-example.com", "is not an e-mail address"),
    ("author_email", "ä@example.com", "is not an e-mail address"),
    ("author_email", "a@example.com\n", "is not an e-mail address"),
    ("author_email", "a" * 65 + "@example.com", "is not an e-mail address"),
    ("author_email", "a@" + "b" * 63 + ".com" * 60, "is not an e-mail address"),
    ("project_name", "P" * 61, "is longer than 60 characters (61)"),
    ("description", "d" * 201, "is longer than 200 characters (201)"),
    ("author_name", "a" * 81, "is longer than 80 characters (81)"),
    *[
        (name, text, rule)
        for name in ("project_name", "description", "author_name")
        for text, rule in [
            ("", "is empty"),
            (" \u00a0\u3000", "is empty"),
            ("\u200d", "is empty"),
            ("two\nlines", "contains U+000A"),
            ("two\rlines", "contains U+000D"),
            ("a\ttab", "contains U+0009"),
            ("a\x00zero", "contains U+0000"),
            ("a\x1bescape", "contains U+001B"),
            ("a\x85next line", "contains U+0085"),
            ("two\u2028lines", "contains U+2028"),
            ("two\u2029paragraphs", "contains U+2029"),
            ("half \ud83d", "contains U+D83D"),
            ("re\u202eversed", "contains U+202E"),
            ("iso\u2066lated", "contains U+2066"),
            ("hid\u200bden", "contains U+200B"),
            ("\ufeffmark", "contains U+FEFF"),
            ("none \uffff", "contains U+FFFF"),
            ("none \U0010fffe", "contains U+10FFFE"),
        ]
    ],
]

ACCEPTED = [
    ("project_slug", "a"),
    ("project_slug", "my-2nd-service"),
    ("project_slug", "my_service"),
    ("project_slug", "a" * 40),
    ("project_slug", "items"),
    ("resource", "x"),
    ("resource", "order_line_2"),
    ("resource", "email"),
    ("resource", "type"),
    ("resource", "decimal"),
    ("resource", "database"),
    ("resource_plural", "types"),
    ("resource_plural", "requests"),
    ("resource_plural", "health"),
    ("fields", "order:string"),
    ("fields", "a:date b:enum:c:d,e:ref:items:optional"),
    ("resource", "i" * 30),
    ("resource_plural", "i" * 32),
    ("resource_plural", "categories"),
    ("author_email", "first.last+tag@mail.example.co.uk"),
    ("author_email", "o'neil@example.com"),
    *[
        (name, text)
        for name in ("project_name", "description", "author_name")
        for text in [
            "x",
            'it\'s "quoted" `so` “or so”',
            "back\\slash \\n \\",
            "{braces} {{ cookiecutter }} {% raw %} {# no #} ${x} %s %(x)s",
            "Größe, 東京, שלום, مرحبا, Ελλάδα",
            "🚀 👩\u200d💻 🇪🇺",
            "می\u200cخواهم",
            "<b>&amp;</b> # -- [x](y) * _ ~ | : - ? ! @",
            " spaces around ",
            "\u00a0hard\u00a0space",
        ]
    ],
]


def errors_of(**answers: str) -> list[ErrorItem]:
    """Return the errors of answers, those of the generator included, as cookiecutter does it."""
    given_answers = {**GOOD, **answers}
    found = local_extensions.specification_errors(given_answers)
    return find_errors({**given_answers, "__specification_errors": found})


@pytest.mark.parametrize(("name", "value", "rule"), INVALID_ANSWERS)
def test_invalid_answer_is_rejected(name: str, value: str, rule: str) -> None:
    errors = errors_of(**{name: value})

    [error] = [error for error in errors if error.rule.startswith(rule)]
    assert (error.name, error.value) == (name, value)
    assert error.remedy
    message = explain([error])
    assert f"{name} = " in message
    assert error.rule in message
    assert error.remedy in message
    assert message.isascii() or not value.isascii(), "an invisible character is shown as an escape"


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_valid_answer_is_accepted(name: str, value: str) -> None:
    assert errors_of(**{name: value}) == []


def test_errors_of_fields_are_reported_with_each_field() -> None:
    errors = errors_of(fields="a:sting b:string:0 class:date")

    assert [(error.name, error.value) for error in errors] == [
        ("fields", "a:sting"),
        ("fields", "b:string:0"),
        ("fields", "class"),
    ]
    assert "did you mean string?" in explain(errors)


def test_a_message_shows_the_given_value() -> None:
    message = explain(find_errors({**GOOD, "project_slug": "Größe", "description": "a\nb"}))

    assert "project_slug = 'Größe'" in message
    assert r"description = 'a\nb'" in message


def test_all_errors_are_reported_at_once() -> None:
    answers = {
        **GOOD,
        "project_name": "",
        "project_slug": "class",
        "author_email": "nobody",
        "resource": "base",
        "resource_plural": "base",
        "fields": "a",
    }

    names = [error.name for error in errors_of(**answers)]

    assert names == [
        *("project_name", "author_email", "project_slug"),
        *("resource", "resource_plural", "fields"),
    ]


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {name: st.text(st.characters(codec=None), max_size=50) for name in GOOD if name in TEXTS},
    )
)
def test_the_hook_itself_never_fails(answers: dict[str, str]) -> None:
    explain(errors_of(**answers)).encode("utf-8", "backslashreplace")


def test_unsupported_combinations_are_rejected_with_reason_and_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = {"database": "sqlite", "setup": "no"}
    combination = Combination(together, "make no sense together", "choose another database")
    monkeypatch.setattr(pre_gen_project, "UNSUPPORTED_COMBINATIONS", (combination,))

    [error] = find_errors(GOOD)

    assert error == (
        "database and setup",
        "sqlite and no",
        "make no sense together",
        "choose another database",
    )
    assert find_errors({**GOOD, "setup": "yes"}) == []


def test_rejected_answers_leave_nothing_on_disk(
    cookies: Cookies, template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = {"project_slug": "import", "resource": "Order Line", "author_email": "nobody"}

    result = cookies.bake(extra_context=bad, template=str(template))

    assert result.exit_code == -1
    assert "exit status: 1" in str(result.exception)
    printed = capfd.readouterr().err
    for name, value in bad.items():
        assert f"{name} = {value!r}" in printed
    assert list((tmp_path / "cookies").rglob("*")) == [tmp_path / "cookies" / "bake00"]


def cookiecutter(folder: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run cookiecutter in the folder, without the settings of this machine."""
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"replay_dir": str(folder / "replay")}), encoding="utf-8")
    return subprocess.run(
        [Path(sys.executable).with_name("cookiecutter"), *arguments, "--config-file", settings],
        cwd=folder,
        env={**os.environ, "PWD": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_after_invalid_answers_one_command_has_all_valid_ones(
    template: Path, tmp_path: Path
) -> None:
    """It runs in a shell once its placeholders are replaced, and nothing else is printed."""
    wrong = ("project_slug=flask", "fields=a, b", "database=sqlite", "deployment=kubernetes")
    valid = ('author_name=Jörg "Q" O\'Neil $HOME `id`', "setup=no", "resource=order_line")

    done = cookiecutter(tmp_path, template, "--no-input", *wrong, *valid)

    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout == "Hook script failed (exit status: 1)\n"
    errors, _, command = done.stderr.partition("With valid answers for <...>, this generates it:\n")
    assert "project_slug = 'flask'" in errors
    words = shlex.split(command.replace(" \\\n", " "))
    assert words[:3] == ["cookiecutter", str(template), "--no-input"]
    assert {word.partition("=")[0] for word in words[3:]} == {
        name for name in GOOD if name[0] != "_"
    }
    assert {"resource=order_line", "setup=no", valid[0]} <= set(words)
    placeholders = {word for word in words if "<" in word}
    assert placeholders == {
        "project_slug=<project_slug>",
        "fields=<fields>",
        f"database=<{'|'.join(pre_gen_project.CHOICES['database'])}>",
        "deployment=<docker|kubernetes|none>",
    }
    valid_ones = {"project_slug": "ours", "fields": "name:string", "database": "postgresql"}
    for name, value in {**valid_ones, "deployment": "docker"}.items():
        [before] = [word for word in placeholders if word.startswith(f"{name}=")]
        words[words.index(before)] = f"{name}={value}"
    assert cookiecutter(tmp_path, *words[1:]).returncode == 0
    texts = (tmp_path / "ours/texts.toml").read_text(encoding="utf-8")
    assert tomllib.loads(texts)["author_name"] == valid[0].partition("=")[2]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://me:s3cret@git.example.com/t.git", "https://git.example.com/t.git"),
        ("https://s3cret@git.example.com:8443/t", "https://git.example.com:8443/t"),
        ("https://git.example.com/t.zip?token=s3cret#s3cret", "https://git.example.com/t.zip"),
        ("ssh://git:s3cret@git.example.com/t.git", "ssh://git@git.example.com/t.git"),
        ("git@git.example.com:org/t.git", "git@git.example.com:org/t.git"),
        ("gh:org/t", "gh:org/t"),
        ("../our template", "'../our template'"),
    ],
)
def test_the_command_has_the_address_without_secrets(given: str, shown: str) -> None:
    answers = {**GOOD, "_template": given, "_checkout": "1.0.0", "_output_dir": "/there"}

    command = pre_gen_project.again(answers, [], "/here")

    assert command.startswith(
        f"cookiecutter {shown} --checkout 1.0.0 --output-dir /there --no-input "
    )
    assert "s3cret" not in command
    assert local_extensions.without_secrets(given) == pre_gen_project.without_secrets(given)


@pytest.mark.parametrize("slug", ["", ".", "..", "sub/folder", "/folder", "sub\\folder"])
def test_a_slug_that_is_a_path_creates_no_folder(
    slug: str, cookies: Cookies, template: Path, tmp_path: Path
) -> None:
    before = set(tmp_path.parent.iterdir())

    result = cookies.bake(extra_context={"project_slug": slug}, template=str(template))

    assert "has to name one new folder" in str(result.exception)
    assert list((tmp_path / "cookies").rglob("*")) == [] or slug == "/folder"
    assert set(tmp_path.parent.iterdir()) == before


def test_the_hook_is_a_template_until_it_is_rendered() -> None:
    assert pre_gen_project.ANSWERS == "{{ cookiecutter | tojson }}"


def test_the_lists_of_names_contain_what_they_claim() -> None:
    for names in (PROJECT_FOLDERS, DEPENDENCIES, WINDOWS_DEVICES):
        assert all(name.isidentifier() and name.islower() for name in names)
        assert not any(keyword.iskeyword(name) for name in names)
    assert not PROJECT_FOLDERS & DEPENDENCIES
    assert not (PROJECT_FOLDERS | DEPENDENCIES) & STANDARD_LIBRARY


@pytest.mark.parametrize(
    "name",
    [
        "__host",
        "__package",
        "__class",
        "__label",
        "__label_plural",
        "__engine",
        "__engine_module",
        "__version",
        "_commit",
    ],
)
def test_private_variable_that_is_given_is_rejected(name: str) -> None:
    """Its text would become code of the second hook, and run."""
    [error] = find_errors({**GOOD, name: 'x"+__import__("os").system("id")+"'})

    assert error.name == name


@pytest.mark.parametrize("given", ["x", "", "7", "{}", "[7]", '["four"]', '[["a", "b", "c"]]'])
def test_errors_of_the_generator_cannot_be_given(given: str) -> None:
    [error] = find_errors({**GOOD, "__specification_errors": given})

    assert error.name == "__specification_errors"


def test_no_name_is_used_because_errors_are_given_as_none() -> None:
    given = {**GOOD, "resource": "no name", "__class": "No name", "__label": "no name"}
    errors = find_errors({**given, "__specification_errors": "[ ]"})

    assert "resource" in [error.name for error in errors]


def test_private_variables_as_cookiecutter_derives_them_are_accepted() -> None:
    derived = {"__host": "my-service", "__package": "my_service", "__class": "Item"}
    derived |= {"__label": "item", "__label_plural": "items", "__engine": "SQLite"}
    derived["__engine_module"] = "sqlite"

    derived |= {"__version": pre_gen_project.VERSION, "_commit": "0a" * 20}
    assert find_errors({**GOOD, **derived}) == []


def test_version_of_another_release_is_rejected(template: Path, tmp_path: Path) -> None:
    """As from a replay file: only cookiecutter.json has the version."""
    done = cookiecutter(tmp_path, template, "--no-input", "setup=no", "__version=0.0.1")

    assert done.returncode == 1
    assert "__version = '0.0.1'\n    follows from the other answers" in done.stderr
    assert cookiecutter(tmp_path, template, "--no-input", "setup=no").returncode == 0


@pytest.mark.parametrize("name", pre_gen_project.CHOICES)
def test_choice_of_a_replay_file_is_validated(name: str) -> None:
    assert name in [error.name for error in find_errors({**GOOD, name: "other"})]


def test_names_are_validated_even_if_their_errors_are_given() -> None:
    [error] = find_errors({**GOOD, "resource_plural": 'x"+y', "__label_plural": 'x"+y'})

    assert error.name == "resource_plural"


def test_choices_are_those_of_the_prompts() -> None:
    prompts = json.loads((Path(__file__).parents[3] / "cookiecutter.json").read_text())

    assert {
        name: tuple(choices)
        for name, choices in prompts.items()
        if isinstance(choices, list) and name[0] != "_"
    } == pre_gen_project.CHOICES
    assert pre_gen_project.ENGINES == local_extensions.ENGINES
    assert pre_gen_project.ENGINE_MODULES == local_extensions.ENGINE_MODULES
