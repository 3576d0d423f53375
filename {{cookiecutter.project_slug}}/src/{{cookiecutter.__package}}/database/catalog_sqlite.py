"""SQLite's report of its tables: the statements that created them, read word by word.

https://www.sqlite.org/lang_createtable.html
"""

import re
from collections.abc import Iterator, Mapping
from itertools import accumulate

from alembic.operations import ops
from sqlalchemy import Connection, Dialect, text

from .casts_sqlite import with_cast
from .catalog import ReportedColumn, ReportedTable
from .catalog import rename_column as rename_column
from .copies_sqlite import CopyingImpl as CopyingImpl  # Alembic uses it from now on

WORD = re.compile(
    r"""
    (?P<space> \s+ | --[^\n]* | /\*.*?\*/ )
    | (?P<literal> '(?:[^']|'')*' )
    | (?P<quoted> "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^]]*\] )
    | (?P<word> [\w.$]+ )
    | (?P<operator> <> | <= | >= | == | != | \|\| | . )
    """,
    re.VERBOSE | re.DOTALL,
)
TABLE_CONSTRAINTS = frozenset({"CONSTRAINT", "CHECK", "PRIMARY", "UNIQUE", "FOREIGN"})
AFTER_TYPE = TABLE_CONSTRAINTS | {
    *("NOT", "NULL", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED", "AS", "ON"),
}

KEYS_ARE_INDEXES = False
"""True where a unique key and a unique index are the same."""


def report(connection: Connection, table: str, *, temporary: bool = False) -> ReportedTable:
    """Return what the engine knows of the table."""
    catalog = "sqlite_temp_master" if temporary else "sqlite_master"
    query = text(f"SELECT sql FROM {catalog} WHERE type = 'table' AND name = :name")  # noqa: S608
    created = connection.execute(query, {"name": table}).scalar_one()
    columns: dict[str, ReportedColumn] = {}
    checks: dict[str, str] = {}
    for part in _parts(list(_words(created))):
        if part[0].upper() not in TABLE_CONSTRAINTS:
            columns[_name(part[0])] = _column(part[1:])
        checks |= _checks(part)
    return ReportedTable(columns, checks)


def drop_temporary(connection: Connection, table: str) -> None:
    """Drop the temporary table, never another of the same name."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(table)
    connection.exec_driver_sql(f"DROP TABLE temp.{quoted}")


def triggers(connection: Connection) -> list[str]:
    """Return the names of all triggers."""
    query = text("SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    return list(connection.scalars(query))


def normal_checks(
    _connection: Connection, _table: str, checks: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the CHECKs: the engine writes what it reads."""
    return checks


def runnable(operation: ops.MigrateOperation, dialect: Dialect) -> list[ops.MigrateOperation]:
    """Return the operation, with what casts the values of rows if a column changes its type.

    Raises MigrationError for a cast that would lose values.
    """
    return with_cast(operation, dialect)


def rename_index(_dialect: Dialect, _table: str, _old: str, _new: str) -> str:
    """Return nothing: the engine renames no index."""
    return ""


def primary_key_renames(_connection: Connection, _old: str, _new: str) -> list[tuple[str, str]]:
    """Return nothing: no other table can want the name of a primary key."""
    return []


def _words(sql: str) -> Iterator[str]:
    """Yield the words, names without the quotes that they do not need."""
    for match in WORD.finditer(sql):
        word = match.group()
        if match.lastgroup == "quoted" and re.fullmatch(r"\w+", word[1:-1]):
            yield f'"{word[1:-1]}"' if word[1:-1].upper() in AFTER_TYPE else word[1:-1]
        elif match.lastgroup != "space":
            yield word


def _name(word: str) -> str:
    """Return a name without quotes."""
    return word[1:-1] if word[0] in '"`[' else word


def _parts(words: list[str]) -> Iterator[list[str]]:
    """Yield the columns and constraints of a CREATE TABLE: what commas separate."""
    part: list[str] = []
    depth = 0
    for word in _inner(words[words.index("(") :]):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word == ",":
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _column(words: list[str]) -> ReportedColumn:
    upper = [word.upper() for word in words]
    ends = [number for number, word in enumerate(upper) if word in AFTER_TYPE]
    kind = words[: ends[0]] if ends else list(words)
    for name in ("COLLATE", "GENERATED"):
        if name in upper:
            kind += words[upper.index(name) : upper.index(name) + 2]
    default = None
    if "DEFAULT" in upper:
        default = _text(_operand(words[upper.index("DEFAULT") + 1 :]))
    return ReportedColumn(_text(kind), default)


def _checks(words: list[str]) -> dict[str, str]:
    """Return the CHECK constraints in a column or constraint; those without a name by content."""
    found: dict[str, str] = {}
    for number, word in enumerate(words):
        if word.upper() == "CHECK" and words[number + 1] == "(":
            content = _text(_operand(words[number + 1 :]))
            named = number >= 2 and words[number - 2].upper() == "CONSTRAINT"
            found[_name(words[number - 1]) if named else content] = content
    return found


def _operand(words: list[str]) -> list[str]:
    """Return the first operand: what is in parentheses, without them, or a word with its sign."""
    if words[0] != "(":
        return words[: 2 if words[0] in "+-" else 1]
    inner = _inner(words)
    whole = inner[:1] == ["("] and len(_inner(inner)) == len(inner) - 2
    return _operand(inner) if whole else inner


def _inner(words: list[str]) -> list[str]:
    """Return what is in the parentheses that the words begin with."""
    depths = list(accumulate((word == "(") - (word == ")") for word in words))
    return words[1 : depths.index(0)]


def _text(words: list[str]) -> str:
    """Return the words in lower case, but for literals: SQLite does not tell the cases apart."""
    return " ".join(word if word.startswith("'") else word.lower() for word in words)
