"""Casts of the values of rows when a column changes its type, on SQLite.

SQLite casts every value to every type and loses what does not fit: the text 'abc' becomes the
number 0, and the date '2026-01-02' the number 2026. So only casts that keep the values are written,
and values that do not fit stop the migration. https://www.sqlite.org/lang_expr.html#castexpr
"""

from alembic.operations import ops
from sqlalchemy import Boolean, Dialect, Integer, String

from .column_types import ExactDecimal, ExactJson, LongText
from .revisions import MigrationError

NOT_CAST = (
    "SQLite cannot change {column} from {old} to {new} and keep its values. Add a column of the new"
    " type, fill it, and drop the old one: docs/migrations.md, Change a type."
)
MAX_EXACT = 10**15
"""Numbers in a text go through a float, which has 15 digits."""


def with_cast(operation: ops.MigrateOperation, dialect: Dialect) -> list[ops.MigrateOperation]:
    """Return the operation with what casts the values, and what stops it where one does not fit.

    Raises MigrationError for a cast that would lose values.
    """
    if not isinstance(operation, ops.AlterColumnOp) or operation.modify_type is None:
        return [operation]
    old, new = operation.existing_type, operation.modify_type
    quote = dialect.identifier_preparer.quote
    table, column = quote(operation.table_name), quote(operation.column_name)
    match _family(old), _family(new):
        case ("text", "text") | ("integer", "integer" | "text") | ("boolean", "integer"):
            return [operation]
        case ("integer" | "decimal", "integer" | "decimal") if _scale(old) == _scale(new):
            return [operation]
        case ("integer" | "decimal", "integer" | "decimal"):
            scaled = _scaled(column, _scale(new) - _scale(old))
            return [operation, _update(table, column, scaled)]
        case ("decimal", "text"):
            return [operation, _update(table, column, _written(column, _scale(old)))]
        case ("text", "integer"):
            return [*_guard(operation, dialect, _is_json(column, "integer")), operation]
        case ("text", "decimal"):
            exact = f"abs({column}) * {10 ** _scale(new)} < {MAX_EXACT}"
            fits = f"{_is_json(column, 'integer', 'real')} AND {exact}"
            scale = _update(table, column, _scaled(column, _scale(new)))
            # A text such as '1.25' would be cast to an integer first.
            return [*_guard(operation, dialect, fits), scale, operation]
        case ("text", "json"):
            return [*_guard(operation, dialect, f"json_valid({column})"), operation]
        case ("integer", "boolean"):
            return [*_guard(operation, dialect, f"{column} IN (0, 1)"), operation]
    name = f"{operation.table_name}.{operation.column_name}"
    assert old is not None  # noqa: S101
    written = (kind.compile(dialect=dialect) for kind in (old, new))
    raise MigrationError(NOT_CAST.format(column=name, old=next(written), new=next(written)))


def _family(kind: object) -> str:
    """Return what SQLite stores for the type; "" if no other type can be read from that."""
    match kind:
        case ExactDecimal():
            return "decimal"
        case ExactJson():
            return "json"
        case Integer():
            return "integer"
        case Boolean():
            return "boolean"
        case String() | LongText():
            return "text"
    return ""


def _update(table: str, column: str, value: str) -> ops.ExecuteSQLOp:
    return ops.ExecuteSQLOp(
        f"UPDATE {table} SET {column} = {value} WHERE {column} IS NOT NULL"  # noqa: S608
    )


def _guard(operation: ops.AlterColumnOp, dialect: Dialect, fits: str) -> list[ops.MigrateOperation]:
    """Return what stops the migration, with a name that says why, if a value does not fit."""
    quote = dialect.identifier_preparer.quote
    table, column = quote(operation.table_name), quote(operation.column_name)
    why = quote(f"{operation.table_name}_{operation.column_name}_fits_the_new_type")
    return [
        ops.ExecuteSQLOp(f"CREATE TABLE temp.unfit (value CONSTRAINT {why} CHECK (value IS NULL))"),
        ops.ExecuteSQLOp(
            f"INSERT INTO temp.unfit SELECT {column} FROM {table}"  # noqa: S608
            f" WHERE {column} IS NOT NULL AND NOT ({fits})"
        ),
        ops.ExecuteSQLOp("DROP TABLE temp.unfit"),
    ]


def _is_json(column: str, *types: str) -> str:
    """Return the SQL that is true if a text is JSON of one of these types."""
    names = ", ".join(f"'{name}'" for name in types)
    return f"CASE WHEN json_valid({column}) THEN json_type({column}) ELSE '' END IN ({names})"


def _scale(kind: object) -> int:
    """Return how many digits after the point an integer in the database has; 0 for other types."""
    return kind.scale if isinstance(kind, ExactDecimal) else 0


def _scaled(column: str, shift: int) -> str:
    """Return the SQL of a number with so many more digits; fewer are rounded, half away from 0."""
    factor = 10 ** abs(shift)
    if shift < 0:
        half = f"{factor // 2} * (({column} > 0) - ({column} < 0))"
        return f"({column} + {half}) / {factor}"
    rounded = f"CAST(round({column} * {factor}) AS INTEGER)"
    return f"CASE typeof({column}) WHEN 'integer' THEN {column} * {factor} ELSE {rounded} END"


def _written(column: str, scale: int) -> str:
    """Return the SQL of a decimal as a text, from the integer that was stored."""
    units = f"CAST({column} AS INTEGER)"
    factor = 10**scale
    sign = f"CASE WHEN {units} < 0 THEN '-' ELSE '' END"
    fraction = f"printf('.%0{scale}d', abs({units}) % {factor})" if scale else "''"
    return f"printf('%s%d%s', {sign}, abs({units}) / {factor}, {fraction})"
