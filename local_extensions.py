"""The Jinja extension of this template: filters for names and literals, and answers stay text.

`tojson` cannot replace the filters for literals: it writes an emoji as a surrogate pair, which TOML
rejects and Python reads as two broken characters.

A process can render two versions of the template, as cruft and tests do. The extension
removes this module from `sys.modules`, so that each version gets its own filters.
"""

import importlib.util
import json
import keyword
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from cookiecutter.exceptions import EmptyDirNameException, FailedHookException
from jinja2 import Environment, Template
from jinja2.ext import Extension
from slugify import slugify

# One value with filters: the only Jinja that is allowed outside of the template's files.
EXPRESSION = re.compile(
    r"""(\{\{\s*cookiecutter(?:\.\w+)?
        (?:\s*\|\s*\w+(?:\(\s*'[^'{}\\]*'(?:\s*,\s*'[^'{}\\]*')*\s*\))?)*
    \s*\}\})""",
    re.VERBOSE,
)
JINJA = re.compile(r"\{[{%#]")

FALLBACK_SLUG = "my-service"
ROOT = Path(__file__).resolve().parent
STARTED_IN = Path.cwd()
GENERATOR = ROOT / "{{cookiecutter.project_slug}}" / "dev" / "resource"
ENGINES = {
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
    "mysql": "MySQL",
}
ENGINE_MODULES = {"mariadb": "innodb", "mysql": "innodb"}

# Control characters, line ends, surrogates, invisible characters and those that change the
# direction of the text. `str.isprintable` would also escape the joiners of an emoji.
ESCAPED_IN_PYTHON = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
ESCAPED_IN_TOML = re.compile(r"[\x00-\x1f\x7f]")
ESCAPED_IN_YAML = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
SURROGATE = re.compile(r"[\ud800-\udfff]")


class TemplateExtension(Extension):
    """Adds the filters, the guard against code in answers, and the faster rendering of files."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        sys.modules.pop(__name__, None)
        leave_out_traceback()
        environment.filters.update(
            class_name=class_name,
            engine=engine,
            engine_module=engine_module,
            example_body=example_body,
            json_string=json_string,
            generated=generated,
            package=package,
            plural=plural,
            python_string=python_string,
            slug=slug,
            specification_errors=specification_errors,
            template_address=template_address,
            template_commit=template_commit,
            template_version=template_version,
            toml_string=toml_string,
            yaml_string=yaml_string,
        )
        guard = AnswerGuard(environment)
        FasterFiles(environment, guard)


class AnswerGuard:
    """Replaces `Environment.from_string`, so that an answer is never executed as a template.

    Cookiecutter renders answers from the command line, from its configuration file and from updates
    as templates: `{{` in a project name would end in a traceback, and a longer expression would
    run. So in every text that does not come from a file, everything but plain expressions is text;
    defaults, names of files and hooks keep to those.
    """

    def __init__(self, environment: Environment) -> None:
        self._compiled: dict[str, Template] = {}
        self._template_of_jinja = environment.from_string
        environment.from_string = self.from_string  # type: ignore[assignment, method-assign]

    def from_string(self, source: str) -> "PlainTemplate":
        """The template of a text in which nothing but plain expressions is Jinja."""
        parts = EXPRESSION.split(source)
        for index in range(1, len(parts), 2):
            if parts[index] not in self._compiled:
                self._compiled[parts[index]] = self._template_of_jinja(parts[index])
        return PlainTemplate(parts, self._compiled)


class FasterFiles:
    """Replaces `Environment.get_template` for speed alone: without it, files come out the same.

    Files may hold all of Jinja, but most hold plain expressions only. Those are not compiled as a
    whole: each expression is compiled once for all of them. With cookiecutter 2.7.1 and Jinja 3.1.6
    a generation takes 0.50 s of CPU with this class and 0.57 s without it (setup=no, medians of 20
    runs in turn). A test fails when it serves less than half of the files; then remove it.
    """

    def __init__(self, environment: Environment, plain: AnswerGuard) -> None:
        self._environment = environment
        self._plain = plain
        self._file_of_jinja = environment.get_template
        environment.get_template = self.get_template  # type: ignore[assignment, method-assign]

    def get_template(self, name: str, *by_jinja: Any) -> "PlainTemplate | Template":
        """The template of a file, compiled by Jinja only if it holds more than expressions."""
        # Jinja itself, for an include, gives more than the name and needs a template of its own.
        if by_jinja or not self._environment.loader:
            return self._file_of_jinja(name, *by_jinja)
        source, _, _ = self._environment.loader.get_source(self._environment, name)
        if JINJA.search(EXPRESSION.sub("", source)):
            return self._file_of_jinja(name)
        return self._plain.from_string(source)


class PlainTemplate:
    """Texts and, between them, expressions."""

    def __init__(self, parts: list[str], compiled: Mapping[str, Template]) -> None:
        self._parts = parts
        self._compiled = compiled

    def render(self, **context: object) -> str:
        """The texts, with the values of the expressions in this context."""
        rendered = self._parts.copy()
        for index in range(1, len(rendered), 2):
            rendered[index] = self._compiled[rendered[index]].render(**context)
        return "".join(rendered)


def leave_out_traceback() -> None:
    """Keep cookiecutter from logging a traceback below errors that the first hook explains.

    Its last line still says that the hook failed, and its status is still 1.
    """
    logger = logging.getLogger("cookiecutter.hooks")
    if not logger.filters:
        logger.addFilter(_is_unexplained)


def _is_unexplained(record: logging.LogRecord) -> bool:
    failed = record.exc_info and isinstance(record.exc_info[1], FailedHookException)
    return not (failed and record.args == ("pre_gen_project",))


def slug(text: str) -> str:
    """Return `my-service` for `My Service`; a text without usable characters gives a default."""
    return slugify(text) or FALLBACK_SLUG


def package(project_slug: str) -> str:
    """Return `my_service` for `my-service`.

    Raises `EmptyDirNameException`, which cookiecutter shows as a sentence, for a slug that is not
    the name of one new folder. The hook that reports all other errors runs inside that folder,
    which is too late.
    """
    if not project_slug.strip(". ") or re.search(r"[/\\\0]", project_slug):
        raise EmptyDirNameException(
            f"project_slug {project_slug!r} is not valid: it has to name one new folder.\n"
            "Use a-z, 0-9 and hyphens, beginning with a letter, for example my-service."
        )
    return project_slug.replace("-", "_")


def class_name(name: str) -> str:
    """Return the name of a resource's class: `OrderLine` for `order_line`."""
    made: str = load_generator().names.class_name(name)
    return made


def plural(name: str) -> str:
    """Return the English plural of the last word of `name`; right for most nouns."""
    made: str = load_generator().names.plural(name)
    return made


def engine(database: str) -> str:
    """Return the name of a database as people write it."""
    return ENGINES[database]


def engine_module(database: str) -> str:
    """Return the module of `database/` that speaks to the engine; two engines share one."""
    return ENGINE_MODULES.get(database, database)


def python_string(text: str) -> str:
    """Return a Python literal of `text`, formatted as `ruff format` does."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    text = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return quote + ESCAPED_IN_PYTHON.sub(lambda found: ascii(found[0])[1:-1], text) + quote


def json_string(text: str) -> str:
    """Return a JSON string of `text`, as Python's `json` writes it with `ensure_ascii=False`."""
    return json.dumps(text, ensure_ascii=False)


def toml_string(text: str) -> str:
    """Return a TOML basic string of `text`. Raises `ValueError` for a lone surrogate."""
    return _double_quoted(text, ESCAPED_IN_TOML)


def yaml_string(text: str) -> str:
    """Return a double-quoted YAML scalar of `text`. Raises `ValueError` for a lone surrogate."""
    return _double_quoted(text, ESCAPED_IN_YAML)


def _double_quoted(text: str, escaped: re.Pattern[str]) -> str:
    if half := SURROGATE.search(text):
        raise ValueError(f"{half[0]!r} is a lone surrogate, which a file cannot contain")
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + '"'


@cache
def load_generator() -> ModuleType:
    """Return the generator of resources, `dev.resource` of every project.

    It leaves the table of modules as this module does, and no bytecode in the template.
    """
    name = "_resource_generator"
    spec = importlib.util.spec_from_file_location(name, GENERATOR / "__init__.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{GENERATOR} cannot be loaded")
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    generator = importlib.util.module_from_spec(spec)
    sys.modules[name] = generator
    try:
        spec.loader.exec_module(generator)
    finally:
        sys.dont_write_bytecode = before
        for loaded in [each for each in sys.modules if each.partition(".")[0] == name]:
            del sys.modules[loaded]
    return generator


def template_address(answers: Mapping[str, object]) -> str:
    """Return where an update of the project finds this template; never a password or a token.

    Of a git repository that is what it was cloned from, so that everybody who works on the project
    can use it; of an archive, the archive; else the folder.
    """
    given = str(answers.get("_template", ""))
    if template_commit(answers):
        found = _git("config", "--get", "remote.origin.url")
        return without_secrets(found) if found else str(ROOT)
    if given.endswith(".zip") or ".zip?" in given:
        return without_secrets(given) if "://" in given else str(STARTED_IN / given)
    return str(ROOT)


def template_commit(_: Mapping[str, object]) -> str:
    """Return the commit of this template, or an empty text if it is not a git repository."""
    prefix, line_end, commit = _git("rev-parse", "--show-prefix", "HEAD").rpartition("\n")
    return commit if line_end and not prefix else ""


def template_version(_: Mapping[str, object]) -> str:
    """Return the version of this template."""
    prompts = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    version: str = prompts["__version"]
    return version


def without_secrets(address: str) -> str:
    """Return an address without password, token and query; the user of SSH is not a secret."""
    parts = urlsplit(address)
    if not parts.netloc:
        return address
    user, at, host = parts.netloc.rpartition("@")
    if at and parts.scheme.endswith("ssh"):
        host = f"{user.partition(':')[0]}@{host}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _git(*arguments: str) -> str:
    """Return what git says about the folder of this template, or an empty text if it fails."""
    variables = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, env=variables, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.rstrip("\n") if done.returncode == 0 else ""


def specification_errors(answers: Mapping[str, str]) -> str:
    """Return the errors of the first resource as JSON, for the hook that reports all of them."""
    generator = load_generator()
    try:
        _resource(answers)
    except generator.SpecificationError as error:
        return json.dumps([_of_an_answer(each, answers) for each in error.errors])
    return "[]"


def _of_an_answer(
    error: tuple[str, str, str], answers: Mapping[str, str]
) -> tuple[str, str, str, str]:
    """Return an error with the answer that it is about: one of the names, or the fields."""
    subject, rule, remedy = error
    for label, name in (("name ", "resource"), ("plural ", "resource_plural")):
        if subject.startswith(label):
            return name, answers[name], rule, remedy
    return "fields", subject, rule, remedy


def generated(answers: Mapping[str, str], name: str) -> str:
    """Return the text of a file of the first resource, without its last line end."""
    generator = load_generator()
    try:
        text: str = generator.render_file(name, _resource(answers), _context(answers))
    except generator.SpecificationError as error:  # only if the hooks are switched off
        raise EmptyDirNameException(f"The resource cannot be written:\n{error}") from None
    return text.removesuffix("\n")


def example_body(answers: Mapping[str, str]) -> str:
    """Return the JSON of a body that creates one of the first resource."""
    body: str = load_generator().example_body(_resource(answers), _context(answers))
    return body


def _resource(answers: Mapping[str, str]) -> Any:
    """Return the first resource. Raises SpecificationError."""
    names = answers["resource"], answers["resource_plural"]
    return _specified(*names, answers["fields"], _context(answers))


def _context(answers: Mapping[str, str]) -> Any:
    package_name = answers["project_slug"].replace("-", "_")
    return load_generator().Context(
        # The hook reports other names, after the specification is rendered for its errors.
        package=package_name if _is_name(package_name) else "service",
        database=answers["database"],
        jobs=answers["background_jobs"] == "celery",
    )


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


_cached: dict[tuple[Any, ...], Any] = {}


def _specified(name: str, plural: str, fields: str, context: Any) -> Any:
    """Return the resource, whose clashes are looked for once and not for each file."""
    key = name, plural, fields, *map(str, context)
    if key not in _cached:
        _cached[key] = load_generator().specify(name, plural, fields, context)
    return _cached[key]
