"""Renders the files of a resource, and finds what keeps it from being one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from .clashes import bound_classes, clashes
from .code import FieldCode, Target
from .formatting import tidy
from .grammar import Field, FieldError, parse_fields
from .names import KIT_CLASSES, class_name, label, resource_name_errors

TEMPLATES = Path(__file__).parent / "templates"

ONLY_WITH_JOBS = ("tasks.py", "test_tasks.py")
MODULES = (
    *("models.py", "schemas.py", "routes.py", "tasks.py", "factories.py", "test_create.py"),
    *("test_delete.py", "test_list.py", "test_patch.py", "test_read.py", "test_table.py"),
)
"""The modules that hold names of the resource."""

MAX_CLASS_NAME = 48
"""Characters of an enum's class; the lines that name it then have room."""


class Context(NamedTuple):
    """The facts of the project that the resource is written for."""

    package: str
    database: str
    jobs: bool = False
    resources: Mapping[str, str] = {}
    """The classes of the resources that exist, by their plurals."""
    classes: frozenset[str] = frozenset()
    """Classes of other resources that no class of this one can be called like."""
    revision: str = "0002"
    down_revision: str | None = "0001"


class Resource(NamedTuple):
    """A resource whose names and fields are correct."""

    name: str
    plural: str
    fields: tuple[Field, ...]

    @property
    def class_name(self) -> str:
        """The name of its class."""
        return class_name(self.name)


class SpecificationError(ValueError):
    """A specification that cannot be used; `errors` are all that is wrong with it."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


def specify(name: str, plural: str, fields: str, context: Context) -> Resource:
    """Return the resource that is described. Raises SpecificationError with all errors."""
    given = {"name": name, "plural": plural}
    errors = [
        FieldError(f"{which} {given[which]!r}", rule, remedy)
        for which, rule, remedy in resource_name_errors(name, plural, context.database)
    ]
    if plural in context.resources:
        remedy = "use another word, or remove that resource first"
        errors.append(FieldError(f"plural {plural!r}", "is a resource that exists", remedy))
    for other in context.resources:
        if plural == f"{other}_api" or other == f"{plural}_api":
            rule = f"and the routes of {other} would have one name in resources/__init__.py"
            errors.append(FieldError(f"plural {plural!r}", rule, "use another word"))
    parsed = parse_fields(fields, context.database, plural)
    errors += parsed.errors
    resource = Resource(name, plural, parsed.fields)
    errors += _reference_errors(resource, context)
    if not errors:
        errors += list(_clash_errors(resource, context))
    if errors:
        raise SpecificationError(errors)
    return resource


def render_resource(resource: Resource, context: Context) -> dict[str, str]:
    """Return the text of each file of a resource, by its path in the project."""
    source = f"src/{context.package}/resources/{resource.plural}"
    tests = f"tests/resources/{resource.plural}"
    revision = f"{context.revision}_create_{resource.plural}.py"
    paths = {
        "package.py": f"{source}/__init__.py",
        "models.py": f"{source}/models.py",
        "schemas.py": f"{source}/schemas.py",
        "routes.py": f"{source}/routes.py",
        "tasks.py": f"{source}/tasks.py",
        "revision.py": f"src/{context.package}/migrations/versions/{revision}",
        "factories.py": f"{tests}/factories.py",
        "test_create.py": f"{tests}/test_create.py",
        "test_delete.py": f"{tests}/test_delete.py",
        "test_list.py": f"{tests}/test_list.py",
        "test_patch.py": f"{tests}/test_patch.py",
        "test_read.py": f"{tests}/test_read.py",
        "test_table.py": f"{tests}/test_table.py",
        "test_tasks.py": f"{tests}/test_tasks.py",
    }
    files = {
        paths[name]: render_file(name, resource, context)
        for name in paths
        if context.jobs or name not in ONLY_WITH_JOBS
    }
    return {**files, f"{tests}/__init__.py": ""}


def render_file(name: str, resource: Resource, context: Context) -> str:
    """Return the text of the file that the template `name` makes."""
    template = _environment().get_template(f"{name}.jinja")
    return tidy(template.render(_variables(resource, context)), context.package)


def example_body(resource: Resource, context: Context) -> str:
    """Return a JSON body that a create accepts, if no required field is a reference."""
    codes = field_codes(resource, context)
    body = {code.column: code.example for code in codes if not code.field.optional}
    return json.dumps(body)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = lambda text: f'"{text}"'
    return environment


def _variables(resource: Resource, context: Context) -> dict[str, Any]:
    fields = field_codes(resource, context)
    sorted_fields = [field for field in fields if field.field.is_sorted]
    return {
        "package": context.package,
        "database": context.database,
        "jobs": context.jobs,
        "revision": context.revision,
        "down_revision": context.down_revision,
        "name": resource.name,
        "plural": resource.plural,
        "class_name": resource.class_name,
        "label": label(resource.name),
        "label_plural": label(resource.plural),
        "fields": fields,
        "targets": _targets(fields),
        "sorts": _with_descending(["created_at", *(field.column for field in sorted_fields)]),
        "filters": [parameter for field in fields for parameter in field.parameters],
        "required": [field for field in fields if not field.field.optional],
        "optional": [field for field in fields if field.field.optional],
        "unique": [field for field in fields if field.field.unique],
        "unique_strings": [
            field for field in fields if field.field.unique and field.field.type == "string"
        ],
        "optional_unique": [
            field for field in fields if field.field.unique and field.field.optional
        ],
        "references": [field for field in fields if field.target],
        "self_references": [field for field in fields if field.target and field.target.is_self],
        "table_arguments": any(
            field.check or field.index_columns or (field.target and field.target.is_self)
            for field in fields
        ),
        "enforced": any(field.has_violations for field in fields),
        "accepted": any(not field.target for field in fields),
        "changes": any(field.field.type == "json" for field in fields),
        "sorted_fields": sorted_fields,
        "repeated_fields": [field for field in sorted_fields if not field.field.unique],
        "filtered_fields": [field for field in fields if field.field.is_filtered],
        "unfiltered_fields": [
            field for field in fields if not field.field.is_filtered and field.name != "sort"
        ],
        "ranged_fields": [field for field in fields if field.field.is_ranged],
        "optional_filters": any(
            field.field.optional and field.field.is_filtered for field in fields
        ),
    }


def field_codes(resource: Resource, context: Context) -> list[FieldCode]:
    """Return what the generated modules say of each field."""
    return [_field_code(field, resource, context) for field in resource.fields]


def _field_code(field: Field, resource: Resource, context: Context) -> FieldCode:
    target = None
    if field.type == "ref":
        is_self = field.target == resource.plural
        referred = resource.class_name if is_self else context.resources[field.target]
        target = Target(field.target, referred, is_self)
    return FieldCode(field, resource.class_name, resource.plural, target)


def _targets(fields: Sequence[FieldCode]) -> list[Target]:
    """Return the other resources that the fields refer to, each once."""
    found = {field.target for field in fields if field.target and not field.target.is_self}
    return sorted(found)


def _with_descending(columns: Sequence[str]) -> list[str]:
    return [name for column in columns for name in (column, f"{column}_desc")]


def _reference_errors(resource: Resource, context: Context) -> Iterator[FieldError]:
    for field in resource.fields:
        if field.target and field.target not in (resource.plural, *context.resources):
            rule = f"refers to {field.target}, which is not a resource"
            known = ", ".join(sorted([*context.resources, resource.plural]))
            yield FieldError(field.name, rule, f"make that one first, or use one of {known}")


def _clash_errors(resource: Resource, context: Context) -> Iterator[FieldError]:
    """Yield an error for each name that the generated modules cannot hold, read from them."""
    fields = field_codes(resource, context)
    for field in fields:
        if len(field.enum) > MAX_CLASS_NAME:
            rule = f"makes the class {field.enum}, longer than {MAX_CLASS_NAME} characters"
            yield FieldError(field.name, rule, "shorten its name or that of the resource")
    rendered = {
        name: render_file(name, resource, context)
        for name in MODULES
        if context.jobs or name not in ONLY_WITH_JOBS
    }
    found: dict[str, str] = {}
    for module, text in rendered.items():
        for name in clashes(text):
            found.setdefault(name, module)
    taken = (context.classes | KIT_CLASSES) & {
        name for module in ("models.py", "schemas.py") for name in bound_classes(rendered[module])
    }
    for name in sorted(found):
        yield _clash_error(name, f"which {found[name]} uses for something else", resource, fields)
    for name in sorted(taken - found.keys()):
        yield _clash_error(name, "a class that exists already", resource, fields)


def _clash_error(
    name: str, rule: str, resource: Resource, fields: Sequence[FieldCode]
) -> FieldError:
    for field in fields:
        if name in (field.name, field.column, field.enum, field.alias, *field.parameters):
            return FieldError(field.name, f"makes the name {name}, {rule}", "call it otherwise")
    remedy = "use another word or a longer one"
    return FieldError(f"name {resource.name!r}", f"makes the name {name}, {rule}", remedy)
