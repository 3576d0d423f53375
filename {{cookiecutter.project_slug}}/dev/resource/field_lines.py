"""Prints the lines that a further field of a resource needs; nothing is written."""

from collections.abc import Iterator

from .code import FieldCode
from .grammar import FieldError
from .names import class_name, label
from .project import Project, ProjectError
from .render import Resource, SpecificationError, field_codes, specify


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
    alone = context._replace(resources=others, classes=frozenset())
    resource = specify(name, plural, fields, alone)
    existing = project.columns(plural)
    taken = [field for field in resource.fields if existing & {field.name, field.column}]
    if taken:
        remedy = "call the new one otherwise"
        errors = [FieldError(field.name, f"{owner} has it already", remedy) for field in taken]
        raise SpecificationError(errors)
    return "\n".join(_lines(project, resource, field_codes(resource, alone)))


def _lines(project: Project, resource: Resource, codes: list[FieldCode]) -> Iterator[str]:
    source = f"src/{project.package}/resources/{resource.plural}"
    owner = class_name(resource.name)
    for title, lines in (
        (f"{source}/models.py, in {owner}", _model_lines(codes)),
        (f"{source}/models.py, in __table_args__", _table_lines(codes)),
        (f"{source}/models.py, above {owner}", _enum_lines(codes)),
        (f"{source}/schemas.py, above SortBy", _alias_lines(codes)),
        (f"{source}/schemas.py, in {owner}Create", _create_lines(codes)),
        (f"{source}/schemas.py, in {owner}Patch", _patch_lines(codes)),
        (f"{source}/schemas.py, in {owner}Read", _read_lines(codes)),
        (f"{source}/schemas.py, in SortBy", _sort_lines(codes)),
        (f"{source}/schemas.py, in {owner}Query", _query_lines(codes)),
        (f"{source}/routes.py, in SORT_KEYS", _sort_key_lines(codes, owner)),
        (f"{source}/routes.py, in FILTERS", _filter_lines(codes, owner)),
        (f"tests/resources/{resource.plural}/factories.py, in FIELDS", _value_lines(codes)),
        (f"tests/resources/{resource.plural}/factories.py, in {owner}Factory", _factory(codes)),
        (
            f"tests/resources/{resource.plural}/test_list.py, in FILTERED",
            [f'    "{code.column}",' for code in codes if code.field.is_filtered],
        ),
        (
            f"tests/resources/{resource.plural}/test_list.py, in SORTED",
            [f'    "{code.column}",' for code in codes if code.field.is_sorted],
        ),
        (
            f"tests/resources/{resource.plural}/test_list.py, in RANGED",
            [f'    "{code.column}",' for code in codes if code.field.is_ranged],
        ),
    ):
        found = list(lines)
        if found:
            yield from ("", f"# {title}", *found)
    names = " ".join(label(code.name) for code in codes)
    yield from ("", "# then", f'make migration m="add {names} to {label(resource.plural)}"')
    yield from ("make format openapi", "")


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
