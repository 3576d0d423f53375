"""What this template adds to Jinja: filters for names and literals, and answers that stay text.

`tojson` is no substitute for the literal filters: it writes an emoji as a surrogate pair, which
TOML refuses and Python reads as two broken characters.

An update (cruft) renders an old and a new version of the template in one process, and this module
is imported once: filters may be added only in a module of another name.
"""

import re

from cookiecutter.exceptions import EmptyDirNameException
from jinja2 import Environment
from jinja2.ext import Extension
from slugify import slugify

# All of Jinja that is spoken outside of the template's files: one value and filters on it.
EXPRESSION = re.compile(
    r"""\{\{\s*cookiecutter(?:\.\w+)?
        (?:\s*\|\s*\w+(?:\(\s*'[^'{}\\]*'(?:\s*,\s*'[^'{}\\]*')*\s*\))?)*
    \s*\}\}""",
    re.VERBOSE,
)

FALLBACK_SLUG = "my-service"
ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB"}

IRREGULAR_PLURALS = {
    "analysis": "analyses",
    "child": "children",
    "criterion": "criteria",
    "diagnosis": "diagnoses",
    "echo": "echoes",
    "foot": "feet",
    "half": "halves",
    "hero": "heroes",
    "knife": "knives",
    "leaf": "leaves",
    "life": "lives",
    "loaf": "loaves",
    "man": "men",
    "mouse": "mice",
    "person": "people",
    "potato": "potatoes",
    "quiz": "quizzes",
    "shelf": "shelves",
    "thesis": "theses",
    "tomato": "tomatoes",
    "tooth": "teeth",
    "wife": "wives",
    "wolf": "wolves",
    "woman": "women",
}

# Control characters, line ends, halves of surrogate pairs, and what changes the direction of the
# text or is not seen at all. `str.isprintable` would escape the joiners of an emoji too.
ESCAPED_IN_PYTHON = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
ESCAPED_IN_TOML = re.compile(r"[\x00-\x1f\x7f]")
ESCAPED_IN_YAML = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
SURROGATE = re.compile(r"[\ud800-\udfff]")


class TemplateExtension(Extension):
    """Makes the filters known, and keeps Jinja out of what a person answered."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters.update(
            class_name=class_name,
            engine=engine,
            package=package,
            plural=plural,
            python_string=python_string,
            slug=slug,
            toml_string=toml_string,
            yaml_string=yaml_string,
        )

    def preprocess(self, source: str, name: str | None, _filename: str | None = None) -> str:
        """Take everything but plain expressions for text, wherever Jinja is given no file.

        Cookiecutter renders answers from the command line, from its configuration file and from
        updates as templates: `{{` in a project name would end in a traceback, and a longer
        expression would run. Defaults, names of files and hooks come the same way, so those keep
        to plain expressions.
        """
        if name is not None:
            return source
        parts = []
        end = 0
        for expression in EXPRESSION.finditer(source):
            parts += [_as_text(source[end : expression.start()]), expression.group()]
            end = expression.end()
        return "".join([*parts, _as_text(source[end:])])


def _as_text(source: str) -> str:
    """A template that renders to `source`, whatever is in it."""
    return "{{ " + ascii(source) + " }}" if source else ""


def slug(text: str) -> str:
    """`My Service` as `my-service`; a text without a usable character gives a name all the same."""
    return slugify(text) or FALLBACK_SLUG


def package(project_slug: str) -> str:
    """`my-service` as `my_service`.

    Raises `EmptyDirNameException`, which cookiecutter shows as a sentence, for a slug that is no
    name of one new folder: the hook that refuses all other faults runs inside that folder, so it
    would come too late.
    """
    if not project_slug.strip(". ") or re.search(r"[/\\\0]", project_slug):
        raise EmptyDirNameException(
            f"project_slug {project_slug!r} is refused: it has to name one new folder.\n"
            "Use a-z, 0-9 and hyphens, beginning with a letter, for example my-service."
        )
    return project_slug.replace("-", "_")


def class_name(name: str) -> str:
    """`order_line` as `OrderLine`."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def plural(name: str) -> str:
    """The English plural of the last word of `name`, right for most nouns."""
    head, underscore, word = name.rpartition("_")
    return head + underscore + _plural_of(word)


def _plural_of(word: str) -> str:
    if word in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[word]
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    if re.search(r"(s|x|z|ch|sh)$", word):
        return word + "es"
    return word + "s"


def engine(database: str) -> str:
    """The name of a database as people write it."""
    return ENGINES[database]


def python_string(text: str) -> str:
    """A Python literal of `text`, just as `ruff format` would write it."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    text = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return quote + ESCAPED_IN_PYTHON.sub(lambda found: ascii(found[0])[1:-1], text) + quote


def toml_string(text: str) -> str:
    """A TOML basic string of `text`. Raises `ValueError` for half a surrogate pair."""
    return _double_quoted(text, ESCAPED_IN_TOML)


def yaml_string(text: str) -> str:
    """A double-quoted YAML scalar of `text`. Raises `ValueError` for half a surrogate pair."""
    return _double_quoted(text, ESCAPED_IN_YAML)


def _double_quoted(text: str, escaped: re.Pattern[str]) -> str:
    if half := SURROGATE.search(text):
        raise ValueError(f"{half[0]!r} is half a character; no file can hold it")
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + '"'
