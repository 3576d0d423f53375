"""Values that fit a JSON schema of the API document, as small as they can be."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import hypothesis
import jsonschema_rs
from hypothesis.errors import HypothesisException
from hypothesis.strategies import from_regex

UNKNOWN_ID = "00000000-0000-7000-8000-000000000000"
FORMATS: dict[str, str] = {
    "uuid": UNKNOWN_ID,
    **{f"uuid{kind}": f"00000000-0000-{kind}000-8000-000000000000" for kind in range(1, 9)},
    "date": "2030-01-31",
    "date-time": "2030-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1S",
    "uri": "https://example.com/",
    "email": "someone@example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "ipvanyaddress": "192.0.2.1",
    "ipv4network": "192.0.2.0/24",
    "ipv6network": "2001:db8::/32",
    "ipvanynetwork": "192.0.2.0/24",
    "ipv4interface": "192.0.2.1/24",
    "ipv6interface": "2001:db8::1/32",
    "ipvanyinterface": "192.0.2.1/24",
    "base64": "eA==",
    "base64url": "eA==",
    "json-string": "null",
}
VALUES: dict[str, Any] = {"boolean": True, "null": None}
MAX_LENGTH = 1000

Schema = dict[str, Any]


def example(schema: Schema, document: Schema) -> Any:
    """Return a value that fits the schema; what only a validator knows, no schema says."""
    given = [*schema.get("examples", ()), *schema.get("enum", ())]
    if "const" in schema:
        given.append(schema["const"])
    for value in fitting(given, schema, document):
        return value
    if "$ref" in schema:
        return example(_referred(schema["$ref"], document), document)
    if parts := schema.get("allOf"):
        resolved = [_referred(part["$ref"], document) if "$ref" in part else part for part in parts]
        return example({name: part[name] for part in resolved for name in part}, document)
    if alternatives := schema.get("anyOf", schema.get("oneOf")):
        smallest = [each for each in alternatives if each.get("type") == "null"] or alternatives
        return example(smallest[0], document)
    match schema.get("type", "null"):
        case "object":
            return _object(schema, document)
        case "array":
            return _array(schema, document)
        case "string":
            return _string(schema)
        case "integer" | "number":
            return next(fitting(_numbers(schema), schema, document), 1)
        case kind:
            return VALUES[kind]


def fitting(values: Iterable[Any], schema: Schema, document: Schema) -> Iterator[Any]:
    """Yield those of the values that fit the schema."""
    for value in values:
        whole = {**schema, "components": document.get("components", {})}
        if jsonschema_rs.validator_for(whole).is_valid(value):
            yield value


def as_text(value: Any) -> str:
    """Return a value as it is written in a path, a query or a header."""
    return value if isinstance(value, str) else json.dumps(value)


@cache
def text_matching(pattern: str, lengths: range) -> str:
    """Return a text of such a length that has the pattern; any such text if none is found."""
    shortest = max(1, lengths.start)
    simple = [letter * shortest for letter in "x1A"]
    try:
        for text in (*simple, "1.00"):
            if re.search(pattern, text) and len(text) in lengths:
                return text
        strategy = from_regex(re.compile(pattern), fullmatch=True)
        return str(hypothesis.find(strategy, lambda text: len(text) in lengths))
    except (re.error, HypothesisException):
        return simple[0]


def _referred(reference: str, document: Schema) -> Schema:
    part = document
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def _object(schema: Schema, document: Schema) -> Schema:
    members = schema.get("properties", {})
    value = {name: example(members[name], document) for name in schema.get("required", ())}
    others = schema.get("additionalProperties")
    for number in range(len(value), schema.get("minProperties", 0)):
        value[f"x{number}"] = example(others if isinstance(others, dict) else {}, document)
    return value


def _array(schema: Schema, document: Schema) -> list[Any]:
    first = [example(each, document) for each in schema.get("prefixItems", ())]
    more = range(len(first), schema.get("minItems", 0))
    return first + [example(schema.get("items", {}), document) for _ in more]


def _string(schema: Schema) -> str:
    lengths = range(schema.get("minLength", 0), schema.get("maxLength", MAX_LENGTH) + 1)
    if (known := FORMATS.get(schema.get("format", ""))) and len(known) in lengths:
        return known
    return text_matching(schema.get("pattern", ""), lengths)


def _numbers(schema: Schema) -> Iterator[int | float]:
    """Yield numbers that may fit: small ones, then some at the bounds and between them."""
    low = max(schema.get(name, -math.inf) for name in ("minimum", "exclusiveMinimum"))
    high = min(schema.get(name, math.inf) for name in ("maximum", "exclusiveMaximum"))
    step = schema.get("multipleOf", 1)
    found = [1, 0]
    for bound in (low, high):
        if math.isfinite(bound):
            found += [bound + more for more in (0, 1, -1)]
            found += [(bound // step + more) * step for more in (0, 1, -1)]
    if math.isfinite(high - low):
        found.append((low + high) / 2)
    for number in found:
        yield int(number) if number == int(number) else number
