"""Prints the lines that a further field of a resource needs; nothing is written."""

import ast
import re
from collections.abc import Iterator, Sequence

from .code import FieldCode
from .grammar import FieldError
from .names import class_name, label
from .project import Project, ProjectError
from .render import Context, Resource, SpecificationError, field_codes, render_file, specify

TESTED = ("create", "delete", "list", "patch", "table")

Place = tuple[str, list[str]]
"""Where lines go, such as `in FIELDS`, and the lines."""


def field_lines(project: Project, name: str, plural: str, fields: str) -> str:
    """Return the lines to add, by file.

    Raises SpecificationError for fields that cannot be added, ProjectError for an unknown resource.
    """
    context = project.context()
    if plural not in context.resources:
        known = ", ".join(sorted(context.resources))
        raise ProjectError(
            f"There is no resource {plural!r}; name one of these by its singular: {known}."
            " A plural that is not regular is given by plural=..."
        )
    owner = context.resources[plural]
    others = {key: value for key, value in context.resources.items() if key != plural}
    alone = context._replace(resources=others, classes=context.classes - project.classes(plural))
    resource = specify(name, plural, fields, alone)
    existing = project.columns(plural)
    taken = [field for field in resource.fields if existing & {field.name, field.column}]
    if taken:
        remedy = "call the new one otherwise"
        errors = [FieldError(field.name, f"{owner} has it already", remedy) for field in taken]
        raise SpecificationError(errors)
    return "\n".join(_lines(project, resource, alone))


def _lines(project: Project, resource: Resource, context: Context) -> Iterator[str]:
    codes = field_codes(resource, context)
    names = " ".join(label(code.name) for code in codes)
    source = f"src/{project.package}/resources/{resource.plural}"
    tests = f"tests/resources/{resource.plural}"
    for folder, module, places in _modules(source, tests, class_name(resource.name), codes):
        file = f"{folder}/{module}"
        text = (project.root / file).read_text(encoding="utf-8")
        rendered = render_file(module, resource, context)
        added = places or list(_test_places(codes, text, rendered))
        words = {word for _, lines in added for line in lines for word in re.findall(r"\w+", line)}
        imports = _missing_imports(rendered, text, words)
        for where, lines in [("at the top", imports), *added]:
            if lines:
                yield from ("", f"# {file}, {where}", *lines)
    yield from ("", "# then", f'make migration m="add {names} to {label(resource.plural)}"')
    yield from ("make format openapi", "")


def _modules(
    source: str, tests: str, owner: str, codes: list[FieldCode]
) -> Iterator[tuple[str, str, list[Place]]]:
    """Yield the folder and the name of each module, and what is added to it."""
    models = [
        ("above __table_args__", list(_model_lines(codes))),
        ("in __table_args__", list(_table_lines(codes))),
        (f"above {owner}", list(_enum_lines(codes))),
    ]
    schemas = [
        ("above SortBy", list(_alias_lines(codes))),
        (f"in {owner}Create", list(_create_lines(codes))),
        (f"in {owner}Patch", list(_patch_lines(codes))),
        (f"in {owner}Read", list(_read_lines(codes))),
        ("in SortBy", list(_sort_lines(codes))),
        (f"in {owner}Query", list(_query_lines(codes))),
    ]
    routes = [
        ("in SORT_KEYS", list(_sort_key_lines(codes, owner))),
        ("in FILTERS", list(_filter_lines(codes, owner))),
    ]
    factories = [
        ("in FIELDS", list(_value_lines(codes))),
        (f"in {owner}Factory", list(_factory(codes))),
    ]
    yield source, "models.py", models
    yield source, "schemas.py", schemas
    yield source, "routes.py", routes
    yield tests, "factories.py", factories
    for name in TESTED:
        yield tests, f"test_{name}.py", []


def _test_places(codes: list[FieldCode], text: str, rendered: str) -> Iterator[Place]:
    """Yield what is added to a module of tests: to its lists, and tests that it does not have.

    `rendered` is the module of a resource that has only the new fields.
    """
    columns = {code.column for code in codes}
    have = {name: node for node in ast.parse(text).body for name in _names_bound_by(node)}
    lines = rendered.splitlines()
    more: list[str] = []
    for node in ast.parse(rendered).body:
        for name in _names_bound_by(node):
            if name not in have:
                more += ["", *_lines_of(node, lines)]
            elif listed := [each for each in _listed(node) if each in columns]:
                yield f"in {name}", [f'    "{column}",' for column in listed]
    if more:
        yield "at the end", more[1:]


def _names_bound_by(node: ast.stmt) -> Iterator[str]:
    """Yield the name of a function or of a constant."""
    if isinstance(node, ast.FunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _lines_of(node: ast.stmt, lines: Sequence[str]) -> Sequence[str]:
    """Return the lines of a statement, with its decorators."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(each.lineno for each in decorators)])
    return lines[first - 1 : node.end_lineno]


def _listed(node: ast.stmt) -> Iterator[str]:
    """Yield the strings of the list that a constant is, or that parametrizes a test."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    for root in [*decorators, *([node.value] if isinstance(node, ast.Assign) else [])]:
        for found in ast.walk(root):
            if isinstance(found, ast.List):
                constants = [each for each in found.elts if isinstance(each, ast.Constant)]
                yield from (str(each.value) for each in constants)


def _missing_imports(rendered: str, text: str, words: set[str]) -> list[str]:
    """Return the imports of these words that a rendered module has and the text lacks."""
    have = set(_imports(text))
    return [
        statement
        for statement, word in dict(_imports(rendered)).items()
        if word in words and (statement, word) not in have
    ]


def _imports(source: str) -> Iterator[tuple[str, str]]:
    """Yield an import for each name that a module imports, and the name that it binds."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            of = ""
            if isinstance(node, ast.ImportFrom):
                of = f"from {'.' * node.level}{node.module or ''} "
            for each in node.names:
                yield f"{of}import {ast.unparse(each)}", each.asname or each.name


def _model_lines(codes: list[FieldCode]) -> Iterator[str]:
    for code in codes:
        arguments = ", ".join(code.column_arguments)
        value = f" = mapped_column({arguments})" if arguments else ""
        yield f"    {code.column}: Mapped[{code.mapped_type}]{value}"
        if code.target:
            arguments = ", ".join(code.relationship_arguments)
            yield f"    {code.name}: Mapped[{code.related_type}] = relationship({arguments})"


def _table_lines(codes: list[FieldCode]) -> Iterator[str]:
    for code in codes:
        if code.check:
            yield f'        CheckConstraint({code.check}, name="{code.name}"),'
        if code.target and code.target.is_self:
            yield f'        CheckConstraint("{code.column} <> id", name="{code.column}"),'
        if code.index_columns:
            columns = ", ".join(f'"{column}"' for column in code.index_columns)
            yield f"        Index(None, {columns}),"


def _enum_lines(codes: list[FieldCode]) -> Iterator[str]:
    for code in codes:
        if code.enum:
            yield f"class {code.enum}(StrEnum):"
            yield f'    """The values of `{code.name}`."""'
            yield ""
            yield from (f'    {member} = "{value}"' for member, value in code.members)


def _alias_lines(codes: list[FieldCode]) -> Iterator[str]:
    return (f"{code.alias} = {code.alias_type}" for code in codes if code.alias)


def _create_lines(codes: list[FieldCode]) -> Iterator[str]:
    for code in codes:
        default = " = None" if code.field.optional else ""
        yield f"    {code.column}: {code.create_type}{default}"


def _patch_lines(codes: list[FieldCode]) -> Iterator[str]:
    return (f"    {code.column}: {code.patch_type} = MISSING" for code in codes)


def _read_lines(codes: list[FieldCode]) -> Iterator[str]:
    return (f"    {code.column}: {code.response_type}" for code in codes)


def _sort_lines(codes: list[FieldCode]) -> Iterator[str]:
    return (f'    "{code.column}", "{code.column}_desc",' for code in codes if code.field.is_sorted)


def _query_lines(codes: list[FieldCode]) -> Iterator[str]:
    for code in codes:
        yield from (f"    {name}: {code.query_type} | None = None" for name in code.parameters)


def _sort_key_lines(codes: list[FieldCode], owner: str) -> Iterator[str]:
    for code in codes:
        if code.field.is_sorted:
            yield f'    "{code.column}": SortKey({owner}.{code.column}),'
            yield f'    "{code.column}_desc": SortKey({owner}.{code.column}, descending=True),'


def _filter_lines(codes: list[FieldCode], owner: str) -> Iterator[str]:
    for code in codes:
        for parameter, function in code.filters:
            yield f'    "{parameter}": {function}({owner}.{code.column}),'


def _value_lines(codes: list[FieldCode]) -> Iterator[str]:
    return (f'    "{code.column}": {code.values},' for code in codes)


def _factory(codes: list[FieldCode]) -> Iterator[str]:
    for code in codes:
        if code.field.optional:
            continue
        if code.target:
            yield f"    {code.name} = SubFactory({code.target.class_name}Factory)"
        else:
            yield f'    {code.column} = Sequence(FIELDS["{code.column}"].nth)'
