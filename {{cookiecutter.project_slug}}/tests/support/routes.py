"""The routes of an application as its URL map and its document show them, and requests for them."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import hypothesis
from flask import Flask
from hypothesis.strategies import from_regex
from werkzeug.routing import Rule

UNKNOWN_ID = "00000000-0000-7000-8000-000000000000"
FORMATS: dict[str, str] = {
    "uuid": UNKNOWN_ID,
    "date": "2030-01-31",
    "date-time": "2030-01-31T12:00:00Z",
}
VALUES: dict[str, Any] = {"boolean": True, "array": [], "null": None}

Schema = dict[str, Any]


class Route(NamedTuple):
    """One method of one rule of the API, and what the document says of it."""

    method: str
    rule: str
    endpoint: str
    path: str
    operation: Schema
    document: Schema

    @property
    def takes_body(self) -> bool:
        """True if requests have a body in JSON."""
        return "application/json" in self._media_types

    @property
    def takes_other_body(self) -> bool:
        """True if requests have a body of another media type, such as a file."""
        return bool(self._media_types) and not self.takes_body

    @property
    def _media_types(self) -> Schema:
        types: Schema = self.operation.get("requestBody", {}).get("content", {})
        return types

    @property
    def body(self) -> Any:
        """A body that fits the route's model, as small as it can be; None if it takes none."""
        if not self.takes_body:
            return None
        schema = self.operation["requestBody"]["content"]["application/json"]["schema"]
        return example(schema, self.document)


def document_of(app: Flask) -> Schema:
    """Return the API document that the application serves."""
    document: Schema = app.test_client().get("/openapi.json").get_json()
    return document


def rules(app: Flask) -> Iterator[tuple[str, Rule]]:
    """Yield each method of each rule."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods or ()):
            yield method, rule


def api_routes(app: Flask) -> list[Route]:
    """Return the routes under `/api`, without those that Flask adds: HEAD and OPTIONS."""
    document = document_of(app)
    paths = document["paths"]
    return [
        Route(
            method,
            rule.rule,
            rule.endpoint,
            path_of(rule),
            paths.get(documented_path(rule.rule), {}).get(method.lower(), {}),
            document,
        )
        for method, rule in rules(app)
        if rule.rule.startswith("/api/") and method not in ("HEAD", "OPTIONS")
    ]


def documented_path(rule: str) -> str:
    """Return the path of a rule as the document writes it."""
    return re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule)


def path_of(rule: Rule) -> str:
    """Return a path that the rule matches: with an id that no row has, or with `1`."""
    return re.sub(r"<[^<>]+>", "1", re.sub(r"<uuid:\w+>", UNKNOWN_ID, rule.rule))


def example(schema: Schema, document: Schema) -> Any:
    """Return a value that fits a JSON schema of the document."""
    if "$ref" in schema:
        part: Any = document
        for name in schema["$ref"].removeprefix("#/").split("/"):
            part = part[name]
        return example(part, document)
    for keyword in ("examples", "enum"):
        if schema.get(keyword):
            return schema[keyword][0]
    if "const" in schema:
        return schema["const"]
    if alternatives := schema.get("anyOf", schema.get("oneOf", schema.get("allOf"))):
        return example(alternatives[0], document)
    kind = schema.get("type", "null")
    if kind == "object":
        members = schema.get("properties", {})
        return {name: example(members[name], document) for name in schema.get("required", ())}
    if kind == "string":
        return _string(schema)
    if kind in ("integer", "number"):
        return max(schema.get("minimum", 1), min(1, schema.get("maximum", 1)))
    return VALUES[kind]


def _string(schema: Schema) -> str:
    if schema.get("format") in FORMATS:
        return FORMATS[str(schema["format"])]
    lengths = range(max(1, schema.get("minLength", 0)), schema.get("maxLength", 1000) + 1)
    pattern = re.compile(schema.get("pattern", ""))
    for text in ("x" * lengths.start, "1" * lengths.start, "1.00"):
        if pattern.search(text) and len(text) in lengths:
            return text
    strategy = from_regex(pattern, fullmatch=True)
    return str(hypothesis.find(strategy, lambda text: len(text) in lengths))
