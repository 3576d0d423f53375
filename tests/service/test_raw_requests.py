"""A fuzzer of raw requests: no shape gives a 5xx, a stored half body, or a second response."""

import json
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.servers import HOST, Service, database, production

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("raw requests")]

PATH = "/api/v1/items"
SEED = 18
REQUESTS = 1000
CALLERS = 6
PATIENCE_SECONDS = 20
MAX_RESPONSE = 64 * 1024 + 4096
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")

METHODS = (*("GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"), "TRACE", "get", "P\x00ST")
TARGETS = (
    *(PATH, f"{PATH}/", f"{PATH}?limit=1", f"{PATH}?limit=5_0", f"{PATH}?cursor=%00", "/livez"),
    *(f"{PATH}/%2e%2e/x", "/api//v1/items", "//evil.example/x", "http://evil.example/livez", "*"),
    *(f"{PATH}/{'0' * 36}", "/%ff%fe", "/docs/../livez", f"{PATH}#x", "", "/" + "x" * 9000, "\\"),
)
VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/0.9", "HTTP/1.1 x", "")
HEADERS = (
    *("Host: x", "Host: x", "Host: x", "Host: evil.example:99999", "Host: x\r\nHost: y", "X: y"),
    *("Accept: */*", "Accept: text/html", "If-Match: *", 'If-Match: "', "If-None-Match: W/"),
    *("Content-Type: application/json", "Content-Type: application/json", "Content-Type: \xff"),
    *(
        "Content-Type: application/json; charset=utf-16",
        "Content-Encoding: gzip",
        "Range: bytes=0-",
    ),
    *("Expect: 100-continue", "Connection: close", "Connection: upgrade", "Upgrade: h2c"),
    *("Idempotency-Key: k", "Idempotency-Key: \x7f", f"Idempotency-Key: {'k' * 4000}"),
    *("X-Request-ID: a\tb", "Traceparent: 00-0-0-0", "X-Forwarded-Prefix: //evil.example"),
    *(" folded: line", "no colon", "Na me: x", ": empty", "Transfer-Encoding: identity"),
    *("Authorization: Bearer \xff", "Cookie: \xe9=1", "Origin: null", "X-A: " + "x" * 9000),
    *("Content-Length: -1", "Content-Length: 1_0", "Content-Length: 0x10", "Content-Length: +5"),
    "Content-Length: 5\r\nContent-Length: 6",
)
FRAMINGS = (
    *("length", "length", "long length", "short length", "chunks", "chunks", "cut chunks"),
    *("bad chunk size", "huge chunk size", "chunk extension", "both", "twice chunked", "none"),
)


@dataclass(frozen=True)
class Shape:
    """A request as it is sent; `name` is in its body, which is whole or not."""

    raw: bytes
    name: str
    may_store: bool


def body_of(name: str, dice: random.Random) -> bytes:
    """Return a body: mostly a valid document, so that the shape decides."""
    valid = json.dumps({"name": name}).encode()
    others = (
        *(
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe",
            b'{"name": "\\ud800"}',
            b'{"name": NaN}',
            b"1e999",
        ),
        *(
            b'{"a":' * 3000,
            b"[" * 20000,
            json.dumps(dict.fromkeys(map(str, range(3000)), 1)).encode(),
        ),
        json.dumps({"name": name}).encode("utf-16"),
    )
    return valid if dice.random() < 0.6 else dice.choice(others)


def framed(body: bytes, framing: str) -> tuple[bytes, bytes, bool]:
    """Return the headers of a body, what is sent of it, and whether that is whole."""
    size, chunk = len(body), b"%x\r\n%b\r\n" % (len(body), body)
    chunked = b"Transfer-Encoding: chunked\r\n"
    chunks = chunk if body else b""
    last = b"0\r\n\r\n"
    return {
        "length": (b"Content-Length: %d\r\n" % size, body, True),
        "long length": (b"Content-Length: %d\r\n" % (size + 7), body, False),
        # What follows the length is the next request of the connection, which is not one.
        "short length": (b"Content-Length: %d\r\n" % (size // 2), body, False),
        "chunks": (chunked, chunks + last, True),
        "cut chunks": (chunked, chunks, False),
        "bad chunk size": (chunked, b"zz\r\n" + chunks + last, False),
        "huge chunk size": (chunked, b"f" * 40 + b"\r\n" + body, False),
        "chunk extension": (chunked, chunks.replace(b"\r\n", b";x=y\r\n", 1) + last, True),
        "both": (chunked + b"Content-Length: %d\r\n" % size, chunks + last, False),
        "twice chunked": (chunked * 2, chunks + last, False),
        "none": (b"", body, False),
    }[framing]


def shapes() -> Iterator[Shape]:
    """Return the requests of a run: the same ones each time."""
    dice = random.Random(SEED)  # noqa: S311
    for number in range(REQUESTS):
        name = f"shape {number}"
        is_plain = dice.random() < 0.4  # the framing decides, and nothing else is wrong
        method = "POST" if is_plain else dice.choice(METHODS)
        target = PATH if is_plain else dice.choice(TARGETS)
        version = "HTTP/1.1" if is_plain else dice.choice(VERSIONS)
        lines = ["Host: x", "Content-Type: application/json"]
        if not is_plain:
            lines = dice.sample(HEADERS, dice.randrange(1, 7))
        head, sent, is_whole = framed(body_of(name, dice), dice.choice(FRAMINGS))
        line = f"{method} {target} {version}\r\n".encode("latin-1")
        headers = "".join(f"{each}\r\n" for each in lines).encode("latin-1")
        raw = line + headers + head + b"\r\n" + sent
        if dice.random() < 0.1:
            raw, is_whole = raw[: dice.randrange(1, len(raw))], False
        yield Shape(raw, name, may_store=is_whole)


def exchange(port: int, shape: Shape) -> bytes:
    """Send a request, end the sending, and return all that comes back."""
    said = b""
    with socket.create_connection((HOST, port), PATIENCE_SECONDS) as connection:
        try:
            connection.sendall(shape.raw)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                said += part
        except ConnectionError:
            return said  # the service does not read on after an error
    return said


def errors_of(said: bytes) -> list[str]:
    """Return what is wrong with the responses to a request."""
    heads = said.split(b"HTTP/1.1 ")[1:]
    found = [int(each[:3]) for each in heads if each[:3].isdigit()]
    final = [status for status in found if status >= 200]
    errors = [f"status {status}" for status in final if status >= 500 and status != 501]
    if said and not STATUS_LINE.match(said):
        errors.append("not HTTP")
    # A body that is longer than its length begins a second request, which is answered: by 400.
    if final[1:] and (final[1] not in (400, 414, 431) or len(final) > 2):
        errors.append(f"further responses: {final[1:]}")
    if len(said) > MAX_RESPONSE and b"text/html" not in said:
        errors.append(f"{len(said)} bytes")
    return errors


@pytest.fixture
def project(session_bake: Bake) -> BakedProject:
    """A project with the deerrors_found."""
    return session_bake()


def test_no_shape_of_a_request_breaks_the_service(
    project: BakedProject, environment: Environment, tmp_path: Path, proved: Proved
) -> None:
    with database(project, environment, tmp_path) as url:
        settings = production(url)
        flask = (environment.program("flask"), "--app", project.package)
        project.run(*flask, "db", "upgrade", variables={**environment.variables, **settings})
        with Service(project, environment, settings, tmp_path / "log") as service:
            errors_found, statuses = fuzz(service)
            stored = names_in(service)
            assert service.call("GET", "/livez").status == 200
            created = service.call("POST", PATH, {"name": f"after {uuid4()}"})
            assert created.status == 201
    assert not errors_found, "\n".join(errors_found[:20])
    complete = {shape.name for shape in shapes() if shape.may_store}
    assert stored <= complete, f"stored from half a body: {stored - complete}"
    assert stored
    assert {200, 201, 400, 404, 405, 415, 422} <= set(statuses)
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said
    assert "WORKER TIMEOUT" not in said
    proved("raw requests", requests=REQUESTS, statuses=len(statuses), stored=len(stored))


def fuzz(service: Service) -> tuple[list[str], Counter[int]]:
    """Send all requests by some callers; return what was wrong, and the statuses."""
    errors_found: list[str] = []
    statuses: Counter[int] = Counter()
    pending = shapes()
    lock = threading.Lock()

    def call() -> None:
        while True:
            with lock:
                shape = next(pending, None)
            if shape is None:
                return
            try:
                said = exchange(service.port, shape)
            except TimeoutError:
                said, errors = b"", ["no response in time"]
            else:
                errors = errors_of(said)
            with lock:
                errors_found.extend(f"{error}: {shape.raw[:300]!r}" for error in errors)
                if match := STATUS_LINE.match(said):
                    statuses[int(match[1])] += 1

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return errors_found, statuses


def names_in(service: Service) -> set[str]:
    """Return the names of all rows."""
    found: set[str] = set()
    cursor = ""
    while True:
        page = service.call("GET", f"{PATH}?limit=100{cursor}").json
        found |= {row["name"] for row in page["items"]}
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"
