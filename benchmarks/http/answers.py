"""Compares the service and its rival with the same contract, answer by answer."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from benchmarks.http.contenders import Server
from benchmarks.http.load import Connection, connected, delete, get, post

PATH = "/api/v1/items"
UNKNOWN_ID = "01900000-0000-7000-8000-000000000000"

CHANGING = ("id", "created_at", "updated_at", "request_id", "next", "parent_id")
"""Members whose values differ from one answer to the next; only null is told from a value."""

HEADERS = (
    *("cache-control", "content-security-policy", "content-type", "etag", "referrer-policy"),
    *("x-content-type-options", "x-frame-options"),
)
PRESENT = ("link", "location", "x-request-id")
"""Headers whose values differ from one answer to the next."""

Answer = tuple[int, dict[str, str], Any]


def compare_answers(service: Server, rival: Server) -> int:
    """Send both the same requests and return how many. Raises RuntimeError at a difference."""
    with connected(service.port, 1) as (ours,), connected(rival.port, 1) as (theirs,):
        compared = 0
        for (name, one), (_, other) in zip(answers(ours), answers(theirs), strict=True):
            if one != other:
                raise RuntimeError(f"{name}: the service and {rival.name} differ:\n{one}\n{other}")
            compared += 1
    return compared


def item(**changes: Any) -> dict[str, Any]:
    """Return a body with a new code, and these changes; `...` leaves a member out."""
    body = {
        "code": f"A-{uuid4().hex[:12]}",
        "name": "An item",
        "status": "active",
        "price": "12.5",
        "available_at": "2030-01-31T12:00:00+02:00",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not ...}


WRONG_BODIES: tuple[tuple[str, Any], ...] = (
    ("missing members", {}),
    ("not an object", [1]),
    ("unknown member", item(colour="red")),
    ("empty code", item(code="")),
    ("long code", item(code="x" * 65)),
    ("NUL", item(name="a\0b")),
    ("number for a string", item(name=1)),
    ("number for a price", item(price=1.5)),
    ("negative price", item(price="-1")),
    ("too many places", item(price="1.005")),
    ("naive time", item(available_at="2030-01-31T12:00:00")),
    ("year 1", item(available_at="0001-01-01T00:00:00Z")),
    ("second 60", item(available_at="2030-01-31T12:00:60Z")),
    ("bad id", item(parent_id="x")),
    ("null for a required member", item(code=None)),
)
WRONG_QUERIES = (
    *("limit=0", "limit=101", "limit=5_0", "limit=x", "sort=price", "colour=red"),
    *("cursor=x", f"cursor={'A' * 64}", "limit=1&limit=2", "code=", "parent_id=x"),
)


def answers(connection: Connection) -> Iterator[tuple[str, Answer]]:
    """Yield the name of each request and its answer, without what always differs."""

    def sent(request: bytes) -> Answer:
        return normal(*connection.response(request))

    first = item(available_at=...)
    status, headers, made = connection.response(post(PATH, encoded(first), X_Request_ID="mine.1"))
    yield "create", normal(status, headers, made)
    if headers["x-request-id"] != "mine.1":
        raise RuntimeError("The request's own id did not come back.")
    location = headers["location"]
    yield "read", sent(get(location))
    yield "read what is known", sent(get(location, If_None_Match='"7", W/"1"'))
    yield "read what has changed", sent(get(location, If_None_Match='"2"'))
    yield "read an unknown row", sent(get(f"{PATH}/{UNKNOWN_ID}"))
    yield "taken code", sent(post(PATH, encoded(first)))
    child = item(parent_id=json.loads(made)["id"])
    yield "create a child", sent(post(PATH, encoded(child)))
    parent = json.loads(made)["id"]
    for name, body in WRONG_BODIES:
        yield name, sent(post(PATH, encoded(body)))
    yield "no JSON", sent(post(PATH, b"{"))
    yield "no JSON type", sent(post(PATH, encoded(first), Content_Type="text/plain"))

    key, body = uuid4().hex, encoded(item())
    once = connection.response(post(PATH, body, Idempotency_Key=key))
    again = connection.response(post(PATH, body, Idempotency_Key=key))
    if (once[0], once[2], once[1]["location"]) != (again[0], again[2], again[1]["location"]):
        raise RuntimeError(f"A repeated create gave another answer: {once} {again}")
    yield "create with a key", normal(*once)
    yield "repeat", normal(*again)
    yield "key with another body", sent(post(PATH, encoded(item()), Idempotency_Key=key))

    yield from changes(connection, location)
    yield "filter", sent(get(f"{PATH}?code={first['code']}"))
    yield "filter by parent", sent(get(f"{PATH}?parent_id={parent}&sort=name"))
    for query in WRONG_QUERIES:
        yield query, sent(get(f"{PATH}?{query}"))
    name = f"N-{uuid4().hex[:8]}"
    for number in range(5):
        connection.send(post(PATH, encoded(item(name=name, price=f"{number}.00"))))
    for sort in ("created_at", "created_at_desc", "code", "name", "name_desc"):
        yield from pages(connection, f"name={name}&sort={sort}&limit=2")


def changes(connection: Connection, location: str) -> Iterator[tuple[str, Answer]]:
    """Yield the answers to changes of a row that another row refers to."""

    def patch(body: Any, **headers: str) -> Answer:
        request = post(location, encoded(body), "PATCH", **headers)
        return normal(*connection.response(request))

    yield "patch without a condition", patch({"price": "1"})
    yield "patch of another state", patch({"price": "1"}, If_Match='"7"')
    yield "patch", patch({"price": "1", "available_at": None}, If_Match='"1"')
    yield "patch nothing", patch({}, If_Match='"2"')
    yield "patch the current state", patch({"name": "Other"}, If_Match='"1", "2"')
    yield "patch any state", patch({"status": "retired"}, If_Match="*")
    yield "patch with unknown members", patch({"colour": "red", "code": None}, If_Match="*")
    yield "patch with another type", patch({"price": 1, "name": ""}, If_Match="*")
    taken = item()
    connection.send(post(PATH, encoded(taken)))
    yield "patch to a taken code", patch({"code": taken["code"]}, If_Match="*")
    unknown = f"{PATH}/{UNKNOWN_ID}"
    for name, request in (
        ("patch an unknown row", post(unknown, b"{}", "PATCH", If_Match="*")),
        ("delete without a condition", delete(location)),
        ("delete another state", delete(location, If_Match='"1"')),
        ("delete what is referred to", delete(location, If_Match="*")),
        ("delete an unknown row", delete(unknown, If_Match="*")),
    ):
        yield name, normal(*connection.response(request))
    alone = connection.response(post(PATH, encoded(item())))[1]["location"]
    yield "delete", normal(*connection.response(delete(alone, If_Match='"1"')))
    yield "read what is deleted", normal(*connection.response(get(alone)))


def pages(connection: Connection, query: str) -> Iterator[tuple[str, Answer]]:
    """Yield the answers of all pages of a list, by their cursors."""
    cursor, number = "", 0
    while cursor is not None:
        more = f"&cursor={quote(cursor)}" if cursor else ""
        response = connection.response(get(f"{PATH}?{query}{more}"))
        status, headers, document = normal(*response)
        for row in document["items"] if "sort=code" in query else []:
            row["price"] = "any"  # codes are random
        yield f"{query}, page {number}", (status, headers, document)
        cursor, number = json.loads(response[2])["next"], number + 1


def encoded(body: Any) -> bytes:
    """Return a body as JSON."""
    return json.dumps(body).encode()


def normal(status: int, headers: dict[str, str], body: bytes) -> Answer:
    """Return an answer without what differs each time."""
    kept = {name: headers[name] for name in HEADERS if name in headers}
    kept |= dict.fromkeys((name for name in PRESENT if name in headers), "...")
    if not body:
        return status, kept, None
    document = json.loads(body)
    for each in [document, *document.get("items", [])]:
        for name in CHANGING:
            if each.get(name):
                each[name] = "..."
        if "code" in each:
            each["code"], each["name"] = each["code"][:2], each["name"][:2]
        if "instance" in each and each["instance"].startswith(f"{PATH}/"):
            each["instance"] = f"{PATH}/..."
    return status, kept, document
