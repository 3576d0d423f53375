"""The routes of an application as its URL map and its document show them, and requests for them."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import unquote

from flask import Flask
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import (
    AnyConverter,
    BaseConverter,
    RequestRedirect,
    Rule,
    UnicodeConverter,
    UUIDConverter,
)
from werkzeug.routing.converters import NumberConverter

from .examples import MAX_LENGTH, UNKNOWN_ID, Schema, as_text, example, text_matching


class Route(NamedTuple):
    """One method of one rule of the API, and what the document says of it."""

    method: str
    rule: str
    endpoint: str
    path: str
    arguments: Schema | None
    """The parameters of the path; None if no path is known that leads to the route."""
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

    @property
    def query(self) -> dict[str, Any]:
        """The query parameters that a request needs."""
        return self._required("query")

    @property
    def headers(self) -> dict[str, Any]:
        """The headers that a request needs."""
        return self._required("header")

    def _required(self, place: str) -> dict[str, Any]:
        values = {
            each["name"]: example(each["schema"], self.document)
            for each in self.operation.get("parameters", ())
            if each["in"] == place and each["required"]
        }
        return {
            name: [as_text(each) for each in value] if isinstance(value, list) else as_text(value)
            for name, value in values.items()
        }


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
    return [
        route_of(app, method, rule, document)
        for method, rule in rules(app)
        if rule.rule.startswith("/api/") and method not in ("HEAD", "OPTIONS")
    ]


def reachable_routes(app: Flask) -> list[Route]:
    """Return the routes under `/api` without those to which no path is known."""
    return [route for route in api_routes(app) if route.arguments is not None]


def route_of(app: Flask, method: str, rule: Rule, document: Schema) -> Route:
    """Return a method of a rule, with what the document says of it."""
    operations = document["paths"].get(documented_path(rule.rule), {})
    operation = operations.get(method.lower(), {})
    path = path_of(rule, operation, document)
    arguments = None
    with suppress(HTTPException, RequestRedirect):
        found, read = app.url_map.bind("localhost").match(unquote(path), method, return_rule=True)
        arguments = dict(read) if found is rule else None
    return Route(method, rule.rule, rule.endpoint, path, arguments, operation, document)


def accepts(app: Flask, route: Route) -> bool:
    """Return whether the models of the route accept the request that its document describes."""
    parts = app.view_functions[route.endpoint].__annotations__
    values = {
        "path": route.arguments,
        "query": route.query,
        "header": route.headers,
        "body": route.body,
    }
    try:
        for name in values.keys() & parts.keys():
            parts[name].model_validate(values[name])
    except ValidationError:
        return False
    return True


def documented_path(rule: str) -> str:
    """Return the path of a rule as the document writes it."""
    return re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule)


def path_of(rule: Rule, operation: Schema, document: Schema) -> str:
    """Return a path that the rule matches: with values that the document describes, if it does."""
    path = rule.rule
    for name, converter in rule._converters.items():
        described = [
            example(_of_such_a_length(each["schema"], converter), document)
            for each in operation.get("parameters", ())
            if each["in"] == "path" and each["name"] == name
        ]
        path = re.sub(rf"<(?:[^<>]*:)?{name}>", _segment(converter, described), path)
    return path


def _of_such_a_length(schema: Schema, converter: BaseConverter) -> Schema:
    """Return the schema of a string with the least length that the converter reads as well."""
    if schema.get("type") != "string" or not isinstance(converter, UnicodeConverter):
        return schema
    return {**schema, "minLength": max(schema.get("minLength", 1), _least_length(converter))}


def _least_length(converter: UnicodeConverter) -> int:
    lengths = range(1, MAX_LENGTH)
    return next(each for each in lengths if re.fullmatch(converter.regex, "x" * each))


def _segment(converter: BaseConverter, described: list[Any]) -> str:
    """Return the text of the first value that a converter reads; `1` if there is none."""
    for value in chain(described, _own_values(converter)):
        with suppress(ValueError, TypeError):
            text: str = converter.to_url(value)
            if re.fullmatch(converter.regex, unquote(text)):
                converter.to_python(unquote(text))
                return text
    return "1"


def _own_values(converter: BaseConverter) -> Iterable[Any]:
    """Return values that a converter may know."""
    if isinstance(converter, AnyConverter):
        return sorted(converter.items)
    if isinstance(converter, NumberConverter):
        return [each for each in (1, converter.min, converter.max) if each is not None]
    if isinstance(converter, UUIDConverter):
        return [UNKNOWN_ID]
    if isinstance(converter, UnicodeConverter):
        return ["x" * _least_length(converter)]
    return [text_matching(f"^{converter.regex}$", range(1, MAX_LENGTH))]
