"""The grammar of fields: what is accepted, and that all errors are reported at once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .generator import DATABASES, errors_of, field_lists, grammar, specify


def field(text: str, **options: Any) -> Any:
    """Return the only field of a specification."""
    [parsed] = specify(text, **options).fields
    return parsed


def test_default_specification() -> None:
    first, second = specify("name:string:unique,description:text:optional").fields

    assert (first.name, first.type, first.length, first.unique) == ("name", "string", 200, True)
    assert (second.name, second.type, second.optional) == ("description", "text", True)
    assert not first.optional


@pytest.mark.parametrize("separator", [",", " ", ", ", "\n", " , "])
def test_fields_are_separated_by_commas_or_spaces(separator: str) -> None:
    fields = specify(separator.join(["name:string", "age:integer", ""])).fields

    assert [each.name for each in fields] == ["name", "age"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:string", {"length": 200}),
        ("a:string:1", {"length": 1}),
        ("a:string:650", {"length": 650}),
        ("a:decimal", {"digits": 18, "scale": 2}),
        ("a:decimal:1", {"digits": 1, "scale": 1}),
        ("a:decimal:12:0", {"digits": 12, "scale": 0}),
        ("a:decimal:18:18", {"digits": 18, "scale": 18}),
        ("a:decimal:12:2:min=0:max=99.50", {"minimum": "0", "maximum": "99.5"}),
        ("a:decimal:12:2:min=-0.00", {"minimum": "0"}),
        ("a:integer:max=-5", {"minimum": "", "maximum": "-5"}),
        ("a:integer:min=-9223372036854775808", {"minimum": "-9223372036854775808"}),
        ("a:enum:b:c-d:e_f:1", {"values": ("b", "c-d", "e_f", "1")}),
        ("a:ref:customers", {"target": "customers", "column": "a_id", "is_filtered": True}),
        ("a:ref:orders:optional", {"target": "orders", "optional": True}),
        ("a:date:unique:optional", {"unique": True, "optional": True}),
        ("a:date:optional:unique", {"unique": True, "optional": True}),
        ("a:string:index:20", {"length": 20, "has_index": True}),
    ],
)
def test_arguments_and_modifiers(text: str, expected: dict[str, Any]) -> None:
    found = field(text)

    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "parameters", "is_sorted"),
    [
        ("a:string", (), False),
        ("a:string:index", ("a",), True),
        ("a:string:index:optional", ("a",), False),
        ("a:string:unique", ("a",), True),
        ("a:integer:index", ("a", "a_from", "a_to"), True),
        ("a:datetime:index:optional", ("a", "a_from", "a_to"), False),
        ("a:enum:b:c:index", ("a",), False),
        ("a:boolean:index", ("a",), False),
        ("a:uuid:index", ("a",), False),
        ("a:ref:customers", ("a_id",), False),
    ],
)
def test_filters_and_sorts_of_an_index(
    text: str,
    parameters: tuple[str, ...],
    is_sorted: bool,  # noqa: FBT001
) -> None:
    found = field(text)

    assert found.parameters == parameters
    assert found.is_sorted is is_sorted


# A specification, and the start of each error that it has.
WRONG = [
    ("", ["fields: names no field"]),
    (" , ", ["fields: names no field"]),
    (" ".join(f"f{n}:date" for n in range(41)), ["fields: has more than 40 fields (41)"]),
    ("Name:string", ["Name:string: its name is not made of a-z, 0-9 and single underscores"]),
    ("a__b:string", ["a__b:string: its name is not made of"]),
    ("_a:string", ["_a:string: its name is not made of"]),
    ("name", ["name: has no type: write name: and string, text"]),
    ("name:", ["name:: has no type"]),
    ("name:sting", ["name:sting: has the unknown type 'sting': did you mean string?"]),
    ("name:xyz", ["name:xyz: has the unknown type 'xyz': known are string, text, integer"]),
    ("a:string:uniqe", ["a:string:uniqe: has the unknown word 'uniqe': did you mean unique?"]),
    ("a:date:nullable", ["a:date:nullable: has the unknown word 'nullable': known are"]),
    ("a:date:optional:optional", ["a:date:optional:optional: has optional twice"]),
    ("a:date:40", ["a:date:40: has the unknown word '40'"]),
    ("a:string:0", ["a:string:0: has the length 0: use 1 to 650"]),
    ("a:string:651", ["a:string:651: has the length 651: use 1 to 650"]),
    ("a:string:1:2", ["a:string:1:2: has the unknown word '2'"]),
    ("a:decimal:0", ["a:decimal:0: has 0 digits: use 1 to 18"]),
    ("a:decimal:19", ["a:decimal:19: has 19 digits"]),
    ("a:decimal:2:3", ["a:decimal:2:3: has 3 of 2 digits after the point"]),
    ("a:date:min=0", ["a:date:min=0: has min=: only an integer or a decimal has bounds"]),
    ("a:integer:min=x", ["a:integer:min=x: has min=x, which is not a number"]),
    ("a:integer:min=1.5", ["a:integer:min=1.5: has min=1.5, which is not an integer"]),
    (
        "a:integer:max=9223372036854775808",
        ["a:integer:max=9223372036854775808: has max=9223372036854775808, which has more than 64"],
    ),
    ("a:decimal:3:1:max=100", ["a:decimal:3:1:max=100: has max=100, which does not fit 3 digits"]),
    ("a:decimal:3:1:max=0.55", ["a:decimal:3:1:max=0.55: has max=0.55, which does not fit"]),
    ("a:integer:min=2:max=1", ["a:integer:min=2:max=1: has min=2 and max=1"]),
    ("a:integer:min=1:max=1", ["a:integer:min=1:max=1: has min=1 and max=1"]),
    ("a:enum", ["a:enum: has 0 values"]),
    ("a:enum:b", ["a:enum:b: has 1 values"]),
    ("a:enum:" + ":".join(f"v{n}" for n in range(51)), ["a:enum:v0:v1:"]),
    ("a:enum:b:B", ["a:enum:b:B: has the value 'B'"]),
    ("a:enum:b:-c", ["a:enum:b:-c: has the value '-c'"]),
    ("a:enum:b:" + "c" * 41, ["a:enum:b:ccc"]),
    ("a:enum:i:o:l", [f"a:enum:i:o:l: has the value {word!r}, which" for word in "iol"]),
    ("a:enum:b-c:b_c", ["a:enum:b-c:b_c: has the values 'b-c' and 'b_c'"]),
    ("a:enum:1:value_1", ["a:enum:1:value_1: has the values '1' and 'value_1'"]),
    ("a:ref", ["a:ref: does not say what it refers to"]),
    ("a:ref:bills", ["a: refers to bills, which is not a resource: make that one first, or use"]),
    ("a:ref:orders", ["a: is required and refers to its own resource"]),
    ("a:date a:string", ["a: is there twice"]),
    ("a:ref:customers a_id:uuid", ["a_id: makes a_id, as a does"]),
    ("a_id:uuid a:ref:customers", ["a: makes a_id, as a_id does"]),
    ("a:ref:customers a:string", ["a: is there twice"]),
    ("a:integer:index a_from:date", ["a: has an index, so that a_from filters by its range"]),
    ("a:date:unique a_to:date", ["a: has an index, so that a_to filters by its range"]),
    ("a:text:unique", ["a: is text, which cannot have unique"]),
    ("a:json:index", ["a: is json, which cannot have index"]),
    ("a:boolean:unique", ["a: is boolean, of few values, and unique"]),
    ("a:enum:b:c:unique", ["a: is enum, of few values, and unique"]),
    ("a:string:3:unique", ["a: has too few different values to be unique"]),
    ("a:decimal:3:0:unique", ["a: has too few different values to be unique"]),
    ("a:integer:min=0:max=9999:unique", ["a: has too few different values to be unique"]),
    ("limit:integer:index", ["limit: would make limit a filter"]),
    ("cursor:string:unique sort:uuid:index", ["cursor: would make", "sort: would make"]),
    (" ".join(f"s{n}:string:650" for n in range(24)), ["fields: its strings have 15600"]),
    (
        " ".join(f"s{n}:string:63" for n in range(26)),
        ["fields: its enums, and its strings of at most 63 characters, have 1638 characters"],
    ),
    ("a" * 25 + ":date", ["a" * 25 + ": is longer than 24 characters (25)"]),
    ("class:string", ["class: is a keyword of Python"]),
    ("l:string", ["l: looks like the digit 1"]),
    ("id:uuid version:integer", ["id: is a column that every", "version: is a column that every"]),
    ("created_at:date updated_at:date", ["created_at: is a column", "updated_at: is a column"]),
    ("metadata:json registry:text", ["metadata: is an attribute of SQL", "registry: is an attrib"]),
    ("json:json schema:text", ["json: is an attribute of pydantic", "schema: is an attribute of"]),
    ("model_dump_x:date", ["model_dump_x: is an attribute of pydantic's models"]),
    ("kwargs:date", ["kwargs: is a parameter of each constructor for pydantic's plugin"]),
    ("build:integer", ["build: is a method or a parameter of factory_boy's factories"]),
]


@pytest.mark.parametrize(("text", "expected"), WRONG, ids=[text[:40] for text, _ in WRONG])
def test_error_names_field_rule_and_remedy(text: str, expected: list[str]) -> None:
    found = errors_of(text)

    assert len(found) == len(expected), found
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start), line
        assert line.count(": ") >= 2


def test_all_errors_are_reported_at_once() -> None:
    text = "Name:string a:sting b:string:0:uniqe c:decimal:2:3:min=x class:date d:ref:bills"

    found = errors_of(text)

    starts = ["Name", "a:sting", "b:str", "b:str", "c:dec", "c:dec", "class", "d"]
    assert len(found) == len(starts), found
    for line, start in zip(found, starts, strict=True):
        assert line.startswith(start)


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("nothing", {"sqlite"}),
        ("returning", {"sqlite"}),
        ("lateral", {"postgresql"}),
        ("xmin", {"postgresql"}),
        ("portion", {"mariadb"}),
        ("tablesample", {"postgresql", "mysql"}),
    ],
)
def test_word_that_an_engine_reserves(database: str, name: str, by: set[str]) -> None:
    assert bool(errors_of(f"{name}:date", database=database)) == (database in by)


def test_word_that_an_engine_reserves_as_the_column_of_a_reference() -> None:
    [found] = errors_of("delete_domain:ref:customers", database="mariadb")

    assert found.startswith("delete_domain: gives the column delete_domain_id, a word that mariadb")


@pytest.mark.parametrize(
    "name",
    "date datetime time text decimal uuid enum order user type query items next cursor key value"
    " match case session select table column page path body".split(),
)
def test_word_of_python_or_sql_is_a_name(name: str) -> None:
    assert errors_of(f"{name}:string other:date") == []


@given(field_lists())
def test_any_list_is_parsed_or_explained(text: str) -> None:
    for line in errors_of(text):
        assert line.count(": ") >= 2


@given(st.text(alphabet="abc_:,= 0123456789-.éA\x00\n'\"\\", max_size=60))
def test_any_text_is_parsed_or_explained(text: str) -> None:
    parsed = grammar.parse_fields(text, "sqlite")

    assert parsed.fields or parsed.errors


def test_a_plural_that_hides_the_routes_of_another_resource_is_rejected() -> None:
    [found] = errors_of("name:string", "tags_api_key", "tags_api")
    assert found.startswith("plural 'tags_api': and the routes of tags would have one name")
