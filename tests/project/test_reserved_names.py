"""The lists of names that a field cannot have hold all that libraries and engines reserve.

A new version of one of them that reserves another name fails here.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.servers import database

ENGINES = ("sqlite", "postgresql", "mariadb", "mysql")

# Prints the public attributes of the classes that get a field's name as an attribute, which of
# them the grammar allows, and names that SQLAlchemy itself rejects, with warnings as errors.
LIBRARIES = """
import inspect, json, warnings
from unittest.mock import Mock
from pydantic import BaseModel
from pydantic._internal._config import config_defaults
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from dev.resource import names
from my_service.database import Base
from my_service.web import schemas
from my_service.web.pagination import PageQuery
from tests.support.factories import ModelFactory, factory_session

warnings.simplefilter("error")
bases = (
    *(Base, BaseModel, PageQuery, ModelFactory),
    *(schemas.PathParameters, schemas.RequestModel, schemas.ResponseModel),
)
public = {base.__name__: [n for n in dir(base) if not n.startswith("_")] for base in bases}


def is_mapped(name):
    base = type("ABase", (DeclarativeBase,), {})
    body = {
        "__tablename__": "rows",
        "__annotations__": {"id": Mapped[int], name: Mapped[int]},
        "id": mapped_column(primary_key=True),
        name: mapped_column(),
    }
    try:
        model = type("Row", (base,), body)
        return getattr(model(**{name: 1}), name) == 1 and name in model.__table__.columns
    except Exception:
        return False


class Row:
    def __init__(self, /, **values):
        self.__dict__.update(values)


class RowFactory(ModelFactory):
    class Meta:
        model = Row


def is_made(name):
    with factory_session(Mock()):
        try:
            RowFactory.create(**{name: 1})
            RowFactory.create_batch(2, **{name: 1})
        except TypeError:
            return False
    return True


parameters = {
    name
    for _, method in inspect.getmembers(ModelFactory, inspect.ismethod)
    for name in inspect.signature(method.__func__).parameters
}
tried = {*dir(DeclarativeBase), *dir(Base.registry), *dir(Base.metadata), "self"}
unmapped = [n for n in tried if not n.startswith("_") and not is_mapped(n)]
unmade = [name for name in parameters if not is_made(name)]
print(json.dumps({
    "public": public,
    "unmapped": unmapped,
    "unmade": unmade,
    "allowed": sorted(
        name
        for name in {*unmapped, *unmade, *(n for found in public.values() for n in found)}
        if names.NAME.fullmatch(name) and not list(names.field_name_errors(name, (name,), "sqlite"))
    ),
    "prefixes": (config_defaults["protected_namespaces"], names.PYDANTIC_PREFIXES),
}))
"""

# Prints the words of the engine, and those that the grammar allows and a statement cannot hold.
WORDS = """
import ctypes, json, sys
import _sqlite3
from sqlalchemy import (
    CheckConstraint, Column, Integer, MetaData, Table, and_, create_engine, delete, insert, select,
    text, update,
)
from sqlalchemy.exc import DBAPIError
from dev.resource import names

database, url = sys.argv[1:]
engine = create_engine(url)


def sqlite_words(connection):
    library = ctypes.CDLL(_sqlite3.__file__)
    for number in range(library.sqlite3_keyword_count()):
        start, size = ctypes.c_char_p(), ctypes.c_int()
        library.sqlite3_keyword_name(number, ctypes.byref(start), ctypes.byref(size))
        yield start.value[:size.value].decode()


def postgresql_words(connection):
    yield from connection.scalars(text("SELECT word FROM pg_get_keywords()"))
    # 1259 is pg_class; each table has the same system columns.
    yield from connection.scalars(
        text("SELECT attname FROM pg_attribute WHERE attrelid = 1259 AND attnum < 0")
    )


def mariadb_words(connection):
    yield from connection.scalars(text("SELECT word FROM information_schema.keywords"))


mysql_words = mariadb_words


def works(table):
    columns = list(table.columns)[1:]
    try:
        with engine.begin() as connection:
            table.create(connection)
            try:
                connection.execute(insert(table).values({column: 1 for column in columns}))
                connection.execute(update(table).values({column: 2 for column in columns}))
                rows = connection.execute(
                    select(table).where(and_(*(column == 2 for column in columns)))
                    .order_by(columns[0])
                )
                assert len(rows.all()) == 1
                connection.execute(delete(table).where(columns[0] == 2))
            finally:
                table.drop(connection)
    except (DBAPIError, AssertionError):
        return False
    return True


def with_columns(words):
    columns = [Column(word, Integer) for word in words]
    check = CheckConstraint(and_(*(column > 0 for column in columns[:50])), name="ck")
    key = Column("id", Integer, primary_key=True)
    return Table("words", MetaData(), key, *columns, check, prefixes=["TEMPORARY"])


def bad_columns(words):
    if not words or works(with_columns(words)):
        return []
    half = len(words) // 2
    return [*bad_columns(words[:half]), *bad_columns(words[half:])] if half else words


def is_table(word):
    key, other = Column("id", Integer, primary_key=True), Column("number", Integer)
    return works(Table(word, MetaData(), key, other, prefixes=["TEMPORARY"]))


with engine.connect() as connection:
    words = {word.lower() for word in globals()[f"{database}_words"](connection)}
words = sorted(word for word in words if names.NAME.fullmatch(word))
quote = engine.dialect.identifier_preparer.quote
print(json.dumps({
    "words": words,
    "columns": bad_columns(
        [w for w in words if not list(names.field_name_errors(w, (w,), database)) and w != "id"]
    ),
    "tables": [
        w for w in words
        if not list(names.resource_name_errors("xyz", w, database))
        and quote(w) == w and not is_table(w)
    ],
}))
"""


def said(project: BakedProject, environment: Environment, *arguments: str) -> Any:
    """Return what a program that runs in the project prints as JSON."""
    done = project.run(environment.python, "-c", *arguments, variables=environment.variables)
    return json.loads(done.stdout)


def test_no_field_hides_an_attribute_of_a_base_class(bake: Bake, environment: Environment) -> None:
    project = bake(project_slug="my-service")

    found = said(project, environment, LIBRARIES)

    assert found["allowed"] == []
    assert set(found["unmapped"]) >= {"metadata", "self"}
    assert "model_class" in found["unmade"]
    assert all(len(names) > 1 for names in found["public"].values())
    of_pydantic, of_the_grammar = found["prefixes"]
    assert of_pydantic == of_the_grammar


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for a database server."""
    place = tmp_path_factory.mktemp("server")
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_each_word_of_an_engine_is_a_column_and_a_table_or_rejected(
    bake: Bake, environment: Environment, folder: Path, engine: str
) -> None:
    project = bake(database=engine)

    with database(project, environment, folder) as url:
        found = said(project, environment, WORDS, engine, url)

    assert len(found["words"]) > 100
    assert (found["columns"], found["tables"]) == ([], [])
