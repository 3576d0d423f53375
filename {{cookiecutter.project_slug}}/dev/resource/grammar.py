"""The grammar of fields: `name:type[:argument...][:modifier...]`, separated by commas or spaces.

docs/resources.md explains it. `parse_fields` reports all errors at once.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from .names import (
    MAX_FIELD_NAME,
    NAME,
    OWN_PARAMETERS,
    enum_member,
    field_name_errors,
)

MAX_FIELDS = 40
MAX_STRING = 650
"""Characters of a string; PostgreSQL puts no more of four bytes each into a unique index."""
DEFAULT_STRING = 200
MAX_STRINGS = 15_000
"""Characters of all strings of a resource; MariaDB and MySQL limit a row to 65,535 bytes."""
SHORT_STRING = 63
"""Characters; InnoDB stores strings of up to 255 bytes only in the page of their row."""
MAX_SHORT_STRINGS = 1_600
"""Characters of short strings and enums of a resource; a row has 8,126 bytes in its page."""
ENUM_LENGTH = 40
MAX_DIGITS = 18
DEFAULT_SCALE = 2
INT64 = 2**63
ENUM_VALUES = range(2, 51)
ENUM_VALUE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
AMBIGUOUS_VALUES = frozenset({"i", "l", "o"})
MIN_UNIQUE_VALUES = 10_000
MIN_UNIQUE_STRING = 4
"""Characters; the tests of a unique field use up values."""

NUMBER = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,18})?")

TYPES = (
    *("string", "text", "integer", "decimal", "boolean", "uuid"),
    *("date", "datetime", "enum", "json", "ref"),
)
MODIFIERS = ("optional", "unique", "index", "min=", "max=")
NOT_INDEXED = frozenset({"text", "json"})
NUMBERS = frozenset({"integer", "decimal"})
ORDERED = NUMBERS | {"date", "datetime"}
SORTABLE = ORDERED | {"string"}


class FieldError(NamedTuple):
    """An error in a specification: what it is about, the rule that is broken, and a remedy."""

    subject: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.rule}: {self.remedy}{'' if self.remedy[-1] == '?' else '.'}"


class Field(NamedTuple):
    """One field of a resource."""

    name: str
    type: str
    optional: bool = False
    unique: bool = False
    has_index: bool = False
    length: int = 0
    """Of a string."""
    digits: int = 0
    """Of a decimal, those after the point included."""
    scale: int = 0
    """Digits of a decimal after the point."""
    values: tuple[str, ...] = ()
    """Of an enum."""
    target: str = ""
    """The plural of the resource that a ref refers to."""
    minimum: str = ""
    maximum: str = ""

    @property
    def column(self) -> str:
        """The name of the column, and of the member in requests and responses."""
        return f"{self.name}_id" if self.type == "ref" else self.name

    @property
    def is_filtered(self) -> bool:
        """True if lists can be filtered by it: it has an index."""
        return self.unique or self.has_index or self.type == "ref"

    @property
    def is_sorted(self) -> bool:
        """True if lists can be sorted by it: its values have an order, and none is missing."""
        return self.is_filtered and not self.optional and self.type in SORTABLE

    @property
    def is_ranged(self) -> bool:
        """True if lists can be filtered by a range of it."""
        return self.is_filtered and self.type in ORDERED

    @property
    def parameters(self) -> tuple[str, ...]:
        """The query parameters of lists that filter by it."""
        ranges = (f"{self.column}_from", f"{self.column}_to") if self.is_ranged else ()
        return (self.column, *ranges) if self.is_filtered else ()


class Parsed(NamedTuple):
    """The fields of a specification, and its errors; with errors, not all fields are there."""

    fields: tuple[Field, ...]
    errors: tuple[FieldError, ...]


def parse_fields(text: str, database: str, own_plural: str = "") -> Parsed:
    """Read a list of fields for a resource in this engine; `own_plural` is the resource's own."""
    fields: list[Field] = []
    errors: list[FieldError] = []
    entries = [entry for entry in re.split(r"[,\s]+", text) if entry]
    if not entries:
        errors.append(FieldError("fields", "names no field", "write at least one, as name:string"))
    if len(entries) > MAX_FIELDS:
        rule = f"has more than {MAX_FIELDS} fields ({len(entries)})"
        errors.append(FieldError("fields", rule, "leave some out; add them by migrations later"))
        entries = entries[:MAX_FIELDS]
    for entry in entries:
        field, found = _parse_entry(entry)
        errors += found
        if field is not None:
            errors += _name_errors(field, database)
            errors += _modifier_errors(field, own_plural)
            fields.append(field)
    errors += _common_errors(fields)
    return Parsed(tuple(fields), tuple(errors))


def _parse_entry(entry: str) -> tuple[Field | None, list[FieldError]]:
    name, *words = entry.split(":")
    subject = _shortened(entry)
    if not NAME.fullmatch(name):
        rule = "its name is not made of a-z, 0-9 and single underscores, beginning with a letter"
        return None, [FieldError(subject, rule, "write it like due_date:date")]
    if not words or not words[0]:
        return None, [FieldError(subject, "has no type", f"write {name}: and {_either(TYPES)}")]
    if words[0] not in TYPES:
        rule = f"has the unknown type {_shortened(words[0])!r}"
        return None, [FieldError(subject, rule, _nearest(words[0], TYPES))]
    errors: list[FieldError] = []
    modifiers: dict[str, str] = {}
    arguments: list[str] = []
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if key + equals not in MODIFIERS:
            arguments.append(word)
        elif key in modifiers:
            errors.append(FieldError(subject, f"has {key} twice", "write it once"))
        else:
            modifiers[key] = value
    field = Field(
        name=name,
        type=words[0],
        optional="optional" in modifiers,
        unique="unique" in modifiers,
        has_index="index" in modifiers,
    )
    field, found = ARGUMENTS.get(field.type, _no_arguments)(field, arguments)
    bounded, bound_errors = _with_bounds(field, modifiers)
    errors += [FieldError(subject, *error) for error in (*found, *bound_errors)]
    return bounded, errors


Errors = list[tuple[str, str]]
Arguments = Callable[[Field, Sequence[str]], tuple[Field, Errors]]


def _no_arguments(field: Field, arguments: Sequence[str]) -> tuple[Field, Errors]:
    return field, _unknown(arguments)


def _string_arguments(field: Field, arguments: Sequence[str]) -> tuple[Field, Errors]:
    numbers, errors = _numbers(arguments, most=1)
    length = numbers[0] if numbers else DEFAULT_STRING
    if not 1 <= length <= MAX_STRING:
        rule = f"has the length {length}"
        errors.append((rule, f"use 1 to {MAX_STRING}, or text for more"))
    return field._replace(length=length), errors


def _decimal_arguments(field: Field, arguments: Sequence[str]) -> tuple[Field, Errors]:
    numbers, errors = _numbers(arguments, most=2)
    digits = numbers[0] if numbers else MAX_DIGITS
    scale = numbers[1] if len(numbers) > 1 else min(DEFAULT_SCALE, digits)
    if not 1 <= digits <= MAX_DIGITS:
        errors.append((f"has {digits} digits", f"use 1 to {MAX_DIGITS}"))
    elif scale > digits:
        rule = f"has {scale} of {digits} digits after the point"
        errors.append((rule, f"use 0 to {digits} after the point"))
    return field._replace(digits=digits, scale=scale), errors


def _enum_arguments(field: Field, arguments: Sequence[str]) -> tuple[Field, Errors]:
    errors: Errors = []
    if len(arguments) not in ENUM_VALUES:
        rule = f"has {len(arguments)} values"
        errors.append((rule, "write 2 to 50 of them, as in status:enum:draft:paid"))
    members: dict[str, str] = {}
    for value in arguments:
        if not ENUM_VALUE.fullmatch(value):
            rule = f"has the value {_shortened(value)!r}"
            remedy = "use a-z, 0-9, - and _, at most 40, beginning with a letter or digit"
            errors.append((rule, remedy))
        elif value in AMBIGUOUS_VALUES:
            errors.append((f"has the value {value!r}, which looks like a digit", "write a word"))
        elif enum_member(value) in members:
            other = members[enum_member(value)]
            errors.append((f"has the values {other!r} and {value!r}", "make their names differ"))
        else:
            members[enum_member(value)] = value
    return field._replace(values=tuple(arguments)), errors


def _ref_arguments(field: Field, arguments: Sequence[str]) -> tuple[Field, Errors]:
    if not arguments or not NAME.fullmatch(arguments[0]):
        rule = "does not say what it refers to"
        return field, [(rule, f"write the plural of a resource, as {field.name}:ref:customers")]
    return field._replace(target=arguments[0]), _unknown(arguments[1:])


ARGUMENTS: dict[str, Arguments] = {
    "string": _string_arguments,
    "decimal": _decimal_arguments,
    "enum": _enum_arguments,
    "ref": _ref_arguments,
}


def _numbers(arguments: Sequence[str], most: int) -> tuple[list[int], Errors]:
    """Return the leading numbers, at most `most`, and errors for all other words."""
    numbers = []
    for argument in arguments[:most]:
        if not re.fullmatch(r"[0-9]{1,4}", argument):
            break
        numbers.append(int(argument))
    return numbers, _unknown(arguments[len(numbers) :])


def _unknown(words: Sequence[str]) -> Errors:
    return [
        (f"has the unknown word {_shortened(word)!r}", _nearest(word, MODIFIERS)) for word in words
    ]


def _with_bounds(field: Field, modifiers: dict[str, str]) -> tuple[Field, Errors]:
    """Return the field with its `min=` and `max=`, and their errors."""
    given = {name: modifiers[name] for name in ("min", "max") if name in modifiers}
    if not given:
        return field, []
    if field.type not in NUMBERS:
        words = " and ".join(f"{name}=" for name in given)
        return field, [(f"has {words}", "only an integer or a decimal has bounds")]
    errors: Errors = []
    for name, value in given.items():
        if error := _bound_error(field, value):
            errors.append((f"has {name}={_shortened(value)}, {error[0]}", error[1]))
    if errors:
        return field, errors
    minimum, maximum = given.get("min", ""), given.get("max", "")
    if minimum and maximum and Decimal(minimum) >= Decimal(maximum):
        errors.append((f"has min={minimum} and max={maximum}", "the minimum has to be smaller"))
    return field._replace(minimum=_plain(minimum), maximum=_plain(maximum)), errors


def _bound_error(field: Field, value: str) -> tuple[str, str] | None:
    """Return why a value cannot be a bound of this field, and a remedy."""
    if not NUMBER.fullmatch(value):
        return "which is not a number", "write it like min=0"
    number = Decimal(value)
    if field.type == "integer":
        if number != number.to_integral_value():
            return "which is not an integer", "write it without a point"
        if not -INT64 <= number < INT64:
            return "which has more than 64 bits", "use a smaller one"
        return None
    units = number.scaleb(field.scale)
    if units != units.to_integral_value() or abs(units) >= 10**field.digits:
        return (
            f"which does not fit {field.digits} digits, {field.scale} after the point",
            "round it",
        )
    return None


def _plain(value: str) -> str:
    """Return a number without needless zeros, and no `-0`."""
    if not value:
        return ""
    number = Decimal(value)
    if number == number.to_integral_value():
        return str(int(number))
    return format(number.normalize(), "f")


def _name_errors(field: Field, database: str) -> Iterator[FieldError]:
    subject = field.name
    remedy = f"call it otherwise, such as {field.name}_value"
    if len(field.name) > MAX_FIELD_NAME:
        rule = f"is longer than {MAX_FIELD_NAME} characters ({len(field.name)})"
        yield FieldError(subject, rule, "shorten it")
    for rule in field_name_errors(field.name, (field.name, field.column), database):
        yield FieldError(subject, rule, remedy)
    if field.is_filtered:
        for parameter in set(field.parameters) & set(OWN_PARAMETERS):
            rule = f"would make {parameter} a filter, which is a parameter of every list"
            yield FieldError(subject, rule, remedy)


def _modifier_errors(field: Field, own_plural: str) -> Iterator[FieldError]:
    subject = field.name
    if field.type in NOT_INDEXED and (field.unique or field.has_index):
        word = "unique" if field.unique else "index"
        remedy = "leave it out, or use a string" if field.type == "text" else "leave it out"
        yield FieldError(subject, f"is {field.type}, which cannot have {word}", remedy)
    if field.type in ("boolean", "enum") and field.unique:
        yield FieldError(subject, f"is {field.type}, of few values, and unique", "leave unique out")
    if field.unique and _has_few_values(field):
        remedy = "allow more values, or leave unique out"
        yield FieldError(subject, "has too few different values to be unique", remedy)
    if field.type == "ref" and field.target == own_plural and not field.optional:
        rule = "is required and refers to its own resource, so none could be the first"
        yield FieldError(subject, rule, "add optional")


def _has_few_values(field: Field) -> bool:
    if field.type == "string":
        return field.length < MIN_UNIQUE_STRING
    if field.type not in NUMBERS:
        return False
    unit = Decimal(1).scaleb(-field.scale)
    limit = INT64 if field.type == "integer" else Decimal(10) ** (field.digits - field.scale)
    lowest = Decimal(field.minimum) if field.minimum else -limit
    highest = Decimal(field.maximum) if field.maximum else limit
    return (highest - lowest) / unit < MIN_UNIQUE_VALUES


def _common_errors(fields: Sequence[Field]) -> Iterator[FieldError]:
    """Yield the errors that no field has by itself."""
    seen: dict[str, Field] = {}
    for field in fields:
        for name in {field.name, field.column}:
            if name in seen:
                yield FieldError(field.name, *_same_name(field, seen[name], name))
                break
            seen[name] = field
    for field in fields:
        for parameter in field.parameters[1:]:
            if parameter in seen:
                rule = f"has an index, so that {parameter} filters by its range"
                yield FieldError(field.name, rule, f"call the field {parameter} otherwise")
    if (total := sum(field.length for field in fields)) > MAX_STRINGS:
        rule = f"its strings have {total} characters together"
        yield FieldError("fields", rule, f"allow at most {MAX_STRINGS}, or use text")
    if (total := sum(map(_short_length, fields))) > MAX_SHORT_STRINGS:
        which = f"its enums, and its strings of at most {SHORT_STRING} characters"
        rule = f"{which}, have {total} characters together"
        remedy = f"allow at most {MAX_SHORT_STRINGS}, or more than {SHORT_STRING} in some strings"
        yield FieldError("fields", rule, remedy)


def _short_length(field: Field) -> int:
    if field.type == "enum":
        return ENUM_LENGTH
    return field.length if field.length <= SHORT_STRING else 0


def _same_name(field: Field, other: Field, name: str) -> tuple[str, str]:
    if field.name == other.name:
        return "is there twice", "write it once, or call one of them otherwise"
    return f"makes {name}, as {other.name} does", "call one of them otherwise"


def _either(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " or " + words[-1]


def _nearest(word: str, known: Sequence[str]) -> str:
    """Return a remedy for an unknown word: the nearest known one, or all of them."""
    from difflib import get_close_matches

    key, equals, _ = word.partition("=")
    near = get_close_matches((key + equals).lower(), known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known are {_either(known)}"


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
