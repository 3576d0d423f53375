"""The Python of one field in each generated module; the templates put it in its place."""

import builtins
from decimal import Decimal
from typing import Any, NamedTuple

from .grammar import INT64, Field
from .names import class_name, enum_member, label

ENUM = "native_enum=False, create_constraint=True, length=40"


class Target(NamedTuple):
    """A resource that a field refers to."""

    plural: str
    class_name: str
    is_self: bool = False


class FieldCode:
    """The code of a field in the generated modules; `owner` is its resource's class."""

    def __init__(self, field: Field, owner: str, plural: str, target: Target | None = None) -> None:
        self.field = field
        self.owner = owner
        self.plural = plural
        self.target = target

    # -- names ------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of the field."""
        return self.field.name

    @property
    def column(self) -> str:
        """The name of the column and of the member of requests and responses."""
        return self.field.column

    @property
    def label(self) -> str:
        """The name of the field in sentences."""
        return label(self.name)

    @property
    def enum(self) -> str:
        """The name of the field's StrEnum, if it is an enum."""
        return self.owner + class_name(self.name) if self.field.type == "enum" else ""

    @property
    def members(self) -> list[tuple[str, str]]:
        """The members of the enum, and their values."""
        return [(enum_member(value), value) for value in self.field.values]

    @property
    def alias(self) -> str:
        """The name of the field's type in the schemas, if the type has arguments."""
        return class_name(self.name) + "Value" if self._request_type_arguments else ""

    # -- models -----------------------------------------------------------------------------

    @property
    def mapped_type(self) -> str:
        """The type of the attribute."""
        return self._or_none(
            {
                "string": "str",
                "text": "str",
                "integer": "int",
                "decimal": "Decimal",
                "boolean": "bool",
                "uuid": "UUID",
                "date": "dt.date",
                "datetime": "dt.datetime",
                "enum": self.enum,
                "json": "Any",
                "ref": "UUID",
            }[self.field.type]
        )

    @property
    def column_arguments(self) -> list[str]:
        """The arguments of `mapped_column`."""
        arguments = {
            "string": [f"ExactString({self.field.length})"],
            "text": ["LongText"],
            "integer": ["BigInteger"],
            "decimal": [f"ExactDecimal({self.field.digits}, {self.field.scale})"],
            "datetime": ["UtcDateTime"],
            "enum": [f'string_enum({self.enum}, "{self.name}")'],
            "json": ["ExactJson", f"nullable={self.field.optional}"],
            "ref": [f'ForeignKey("{self.field.target}.id")'],
        }.get(self.field.type, [])
        return [*arguments, "unique=True"] if self.field.unique else arguments

    @property
    def related_type(self) -> str:
        """The type of the relationship, if it is a ref."""
        if self.target is None:
            return ""
        related = self._or_none(self.target.class_name)
        return f'"{related}"' if self.target.is_self else related

    @property
    def relationship_arguments(self) -> list[str]:
        """The arguments of `relationship`."""
        arguments = [f"foreign_keys=[{self.column}]"]
        if self.target is not None and self.target.is_self:
            arguments.append(f'remote_side="{self.owner}.id"')
        return arguments

    @property
    def check(self) -> str:
        """The condition of the column's bounds, or nothing.

        A name of Python's own would be read as that by people, and linters.
        """
        if not hasattr(builtins, self.column) or not self._bounds(""):
            return self._bounds(self.column)
        type_ = self.column_arguments[0] + ("()" if self.field.type == "integer" else "")
        return self._bounds(f'sa.column("{self.column}", {type_})')

    @property
    def has_violations(self) -> bool:
        """True if the database rejects some value that the column could hold, or NULL."""
        field = self.field
        if field.type == "enum" or not field.optional:
            return True
        unit = Decimal(1).scaleb(-field.scale)
        limit = INT64 if field.type == "integer" else Decimal(10) ** (field.digits - field.scale)
        lowest = -limit if field.type == "integer" else unit - limit
        return bool(
            (field.minimum and Decimal(field.minimum) > lowest)
            or (field.maximum and Decimal(field.maximum) < limit - unit)
        )

    @property
    def index_columns(self) -> list[str]:
        """The columns of the index that the field has, or none: a unique key is an index."""
        if not self.field.is_filtered or self.field.unique:
            return []
        if self.field.is_sorted:
            return [self.column, "id"]
        return [self.column, "created_at", "id"]

    # -- schemas ----------------------------------------------------------------------------

    @property
    def _request_type_arguments(self) -> str:
        """The arguments of `Annotated`, for a type with arguments."""
        bounds = "".join(
            f', {name}="{value}"' if self.field.type == "decimal" else f", {name}={value}"
            for name, value in (("minimum", self.field.minimum), ("maximum", self.field.maximum))
            if value
        )
        if self.field.type == "string":
            return f"str, StringOf({self.field.length})"
        if self.field.type == "decimal":
            return f"Decimal, DecimalOf({self.field.digits}, {self.field.scale}{bounds})"
        if self.field.type == "integer" and bounds:
            return f"int, IntegerOf({bounds[2:]})"
        return ""

    @property
    def alias_type(self) -> str:
        """The type that the alias stands for."""
        return f"Annotated[{self._request_type_arguments}]"

    @property
    def request_type(self) -> str:
        """The type of the member in requests."""
        return (
            self.alias
            or {
                "text": "LongString",
                "integer": "Integer",
                "boolean": "Boolean",
                "uuid": "UUID",
                "date": "Date",
                "datetime": "Timestamp",
                "enum": self.enum,
                "json": "Json",
                "ref": "UUID",
            }[self.field.type]
        )

    @property
    def create_type(self) -> str:
        """The type of the member in the body of a create."""
        return self._or_none(self.request_type)

    @property
    def patch_type(self) -> str:
        """The type of the member in the body of a patch."""
        return self._or_none(f"{self.request_type} | MISSING")

    @property
    def response_type(self) -> str:
        """The type of the member in responses; any JSON value can be null, too."""
        if self.field.type == "json":
            return "Any"
        return self._or_none(
            {
                "string": "str",
                "text": "str",
                "integer": "int",
                "decimal": self.alias,
                "boolean": "bool",
                "uuid": "UUID",
                "date": "dt.date",
                "datetime": "TimestampOut",
                "enum": self.enum,
                "ref": "UUID",
            }[self.field.type]
        )

    @property
    def query_type(self) -> str:
        """The type of the query parameters that filter by the field."""
        return {"integer": "IntegerParameter", "boolean": "BooleanParameter"}.get(
            self.field.type, self.request_type
        )

    @property
    def parameters(self) -> tuple[str, ...]:
        """The query parameters of lists that filter by the field."""
        return self.field.parameters

    @property
    def filters(self) -> list[tuple[str, str]]:
        """The query parameters, and the function that makes a condition of each."""
        functions = ("equals", "at_least", "below")
        return list(zip(self.parameters, functions, strict=False))

    # -- the migration ----------------------------------------------------------------------

    @property
    def migration_type(self) -> str:
        """The type of the column in the migration."""
        values = ", ".join(f'"{value}"' for value in self.field.values)
        return {
            "string": f"column_types.ExactString({self.field.length})",
            "text": "column_types.LongText()",
            "integer": "sa.BigInteger()",
            "decimal": f"column_types.ExactDecimal({self.field.digits}, {self.field.scale})",
            "boolean": "sa.Boolean()",
            "uuid": "sa.Uuid()",
            "date": "sa.Date()",
            "datetime": "column_types.UtcDateTime()",
            "enum": f'sa.Enum({values}, name=op.f("ck_{self.plural}_{self.name}"), {ENUM})',
            "json": "column_types.ExactJson()",
            "ref": "sa.Uuid()",
        }[self.field.type]

    @property
    def migration_check(self) -> str:
        """The condition of the column's bounds in the migration, or nothing."""
        return self._bounds(f'sa.column("{self.column}", {self.migration_type})')

    # -- documents --------------------------------------------------------------------------

    @property
    def example(self) -> Any:
        """A value of the member in requests, as JSON."""
        field = self.field
        if field.type == "decimal":
            unit = Decimal(1).scaleb(-field.scale)
            number = Decimal(field.minimum or field.maximum or 0)
            return format(number.quantize(unit), "f")
        return {
            "string": "An example"[: field.length],
            "text": "An example",
            "integer": int(field.minimum or field.maximum or 1),
            "boolean": True,
            "uuid": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "date": "2030-01-31",
            "datetime": "2030-01-31T12:00:00Z",
            "enum": next(iter(field.values), ""),
            "json": {"any": "value"},
        }[field.type]

    # -- tests ------------------------------------------------------------------------------

    @property
    def values(self) -> str:
        """The values that the tests use, from `tests/support/values.py`."""
        field = self.field
        arguments: list[str] = {
            "string": [str(field.length)],
            "decimal": [str(field.digits), str(field.scale)],
            "enum": [self.enum, *(f'"{value}"' for value in field.values)],
            "ref": [f'"{self.name}"', f"lambda: {self._target_class}Factory"],
        }.get(field.type, [])
        quote = '"' if field.type == "decimal" else ""
        arguments += [
            f"{name}={quote}{value}{quote}"
            for name, value in (("minimum", field.minimum), ("maximum", field.maximum))
            if value
        ]
        if field.optional:
            arguments.append("optional=True")
        return f"values.{VALUES[field.type]}({', '.join(arguments)})"

    # -- parts ------------------------------------------------------------------------------

    @property
    def _target_class(self) -> str:
        return self.target.class_name if self.target else ""

    def _or_none(self, type_: str) -> str:
        return f"{type_} | None" if self.field.optional else type_

    def _bounds(self, column: str) -> str:
        low, high = self._literal(self.field.minimum), self._literal(self.field.maximum)
        if low and high:
            return f"{column}.between({low}, {high})"
        return f"{column} >= {low}" if low else f"{column} <= {high}" if high else ""

    def _literal(self, bound: str) -> str:
        return f'Decimal("{bound}")' if bound and self.field.type == "decimal" else bound


VALUES = {
    "string": "string",
    "text": "text",
    "integer": "integer",
    "decimal": "decimal",
    "boolean": "boolean",
    "uuid": "uuid",
    "date": "date",
    "datetime": "datetime",
    "enum": "enum",
    "json": "json",
    "ref": "reference",
}
