"""Names that a resource and its fields can have, and those made from them.

The lists hold only what a library or an engine reserves; a test compares each with its library.
Clashes with names that the generated modules use are found in these modules (`clashes`).
"""

import builtins
import keyword
import re
from collections.abc import Iterator

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
MAX_NAME = 30
MAX_PLURAL = 32
MAX_FIELD_NAME = 24
"""Characters; a constraint's name with table and column then has at most 63, PostgreSQL's limit."""

OWN_COLUMNS = ("id", "version", "created_at", "updated_at")
OWN_PARAMETERS = ("limit", "cursor", "sort")

SQLALCHEMY_NAMES = frozenset({"metadata", "registry"})
"""Attributes that SQLAlchemy's declarative base keeps for itself."""

PYDANTIC_NAMES = frozenset(
    {
        *("construct", "copy", "dict", "from_orm", "json", "model_computed_fields"),
        *("model_config", "model_construct", "model_copy", "model_dump"),
        *("model_dump_json", "model_extra", "model_fields", "model_fields_set"),
        *("model_json_schema", "model_parametrized_name", "model_post_init"),
        *("model_rebuild", "model_validate", "model_validate_json"),
        *("model_validate_strings", "parse_file", "parse_obj", "parse_raw", "schema"),
        *("schema_json", "update_forward_refs", "validate"),
    }
)
"""Attributes of pydantic's BaseModel."""

PYDANTIC_PREFIXES = ("model_validate", "model_dump")

FACTORY_NAMES = frozenset(
    {
        *("build", "build_batch", "create", "create_batch", "generate"),
        *("generate_batch", "reset_sequence", "simple_generate"),
        *("simple_generate_batch", "stub", "stub_batch"),
        *("cls", "model_class"),
    }
)
"""Methods of factory_boy's factories, which the tests use, and parameters beside the values."""

PLUGIN_NAMES = frozenset({"kwargs"})
"""Parameters that pydantic's plugin for mypy gives each constructor beside those of the fields."""

KIT_NAMES = frozenset({"from_row", "self"})
"""Names that the base classes define, and the name that a constructor gives its object."""

UNQUOTED_WORDS = {
    "sqlite": frozenset({"nothing", "returning"}),
    "postgresql": frozenset(
        {
            *("cmax", "cmin", "collation", "concurrently", "ctid", "lateral"),
            *("tablesample", "tableoid", "xmax", "xmin"),
        }
    ),
    "mariadb": frozenset(
        {
            *("delete_domain_id", "master_demote_to_replica", "master_demote_to_slave"),
            *("portion",),
        }
    ),
    "mysql": frozenset({"external", "library", "manual", "tablesample"}),
}
"""Words that an engine reserves and SQLAlchemy does not quote."""

UNQUOTED_TABLES = {"mariadb": frozenset({"value"})}
"""Words that only the name of a table cannot be."""

KIT_TABLES = frozenset(
    {"alembic_version", "api_keys", "applied_revisions", "idempotency_keys", "jobs"}
    | {"unfinished_migration"}
)

KIT_CLASSES = frozenset({"ApiKey", "Base", "ErrorItem", "IdempotencyKey", "Job", "Problem"})
"""Tables of this project, and schemas of its API document."""

KIT_FOLDERS = frozenset({"conftest"})
"""Names beside the folder of a resource, in `resources/` or `tests/resources/`."""

DEVICES = frozenset(
    ["con", "prn", "aux", "nul"]
    + [f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)]
)
"""Names that no folder can have on Windows."""

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


def class_name(name: str) -> str:
    """Return `OrderLine` for `order_line`."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def label(name: str) -> str:
    """Return `order line` for `order_line`."""
    return name.replace("_", " ")


def plural(name: str) -> str:
    """Return the English plural of the last word of `name`; right for most nouns."""
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


def enum_member(value: str) -> str:
    """Return the member of a StrEnum for a value: `IN_TRANSIT` for `in-transit`."""
    member = value.replace("-", "_").upper()
    return f"VALUE_{member}" if member[0].isdigit() else member


def resource_name_errors(name: str, plural: str, database: str) -> Iterator[tuple[str, str, str]]:
    """Yield each rule that a resource's names break: the name's label, the rule and a remedy."""
    if not NAME.fullmatch(name):
        yield "name", *_malformed("one of it, in English, like order_line")
    else:
        remedy = f"use another word or a longer one, such as customer_{name}"
        if len(name) > MAX_NAME:
            yield "name", f"is longer than {MAX_NAME} characters ({len(name)})", "shorten it"
        if keyword.iskeyword(name):
            yield "name", "is a keyword of Python", remedy
        made = class_name(name)
        if made in ("I", "O"):
            yield "name", f"gives the class {made}, which looks like a digit", remedy
        elif made in KIT_CLASSES:
            yield "name", f"gives the class {made}, which the service has already", remedy
        elif keyword.iskeyword(made) or hasattr(builtins, made):
            yield "name", f"gives the class {made}, a name of Python itself", remedy
    if not NAME.fullmatch(plural):
        yield "plural", *_malformed("many of it, in English, like order_lines")
        return
    remedy = f"use another word, such as customer_{plural}"
    if len(plural) > MAX_PLURAL:
        yield "plural", f"is longer than {MAX_PLURAL} characters ({len(plural)})", "shorten it"
    if plural == name:
        yield "plural", "is equal to the name of one", f"tell them apart, such as {plural}_list"
    if keyword.iskeyword(plural):
        yield "plural", "is a keyword of Python", remedy
    if plural in KIT_TABLES:
        yield "plural", "is a table of the service itself", remedy
    if plural.startswith("sqlite_"):
        yield "plural", "begins with sqlite_, as SQLite's own tables do", "leave that out"
    if plural in KIT_FOLDERS:
        yield "plural", "is a module beside those of the resources", remedy
    if plural in DEVICES:
        yield "plural", "is the name of a device on Windows, where no folder can have it", remedy
    if plural in UNQUOTED_WORDS[database] | UNQUOTED_TABLES.get(database, frozenset()):
        yield "plural", f"is a word that {database} reserves", remedy


def _malformed(example: str) -> tuple[str, str]:
    rule = "is not made of a-z, 0-9 and single underscores, beginning with a letter"
    return rule, f"write {example}"


def field_name_errors(name: str, columns: tuple[str, ...], database: str) -> Iterator[str]:
    """Yield each rule that a field's name breaks; `columns` are the names in the database."""
    if name in OWN_COLUMNS:
        yield "is a column that every resource has"
    elif keyword.iskeyword(name):
        yield "is a keyword of Python"
    elif name == "l":
        yield "looks like the digit 1"
    elif name in SQLALCHEMY_NAMES:
        yield "is an attribute of SQLAlchemy's models"
    elif name in PYDANTIC_NAMES or name.startswith(PYDANTIC_PREFIXES):
        yield "is an attribute of pydantic's models"
    elif name in FACTORY_NAMES:
        yield "is a method or a parameter of factory_boy's factories, which the tests use"
    elif name in PLUGIN_NAMES:
        yield "is a parameter of each constructor for pydantic's plugin for mypy"
    elif name in KIT_NAMES:
        yield "is an attribute of this project's base classes"
    elif reserved := UNQUOTED_WORDS[database].intersection(columns):
        yield f"gives the column {min(reserved)}, a word that {database} reserves"
