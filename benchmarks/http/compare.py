"""CPU per request of the service and of hand-written floors, in interleaved rounds of a run."""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import uuid4

from benchmarks.databases import database_url
from benchmarks.http.answers import compare_answers
from benchmarks.http.contenders import CONTRACT, CORE, FASTAPI, ORM, SERVICE, Server, running
from benchmarks.http.load import connected, get, post, run
from benchmarks.projects import Project, baked
from benchmarks.report import Row, Samples, Table

PATH = "/api/v1/items"
ROWS = 200
PAGE = 20
CONNECTIONS = 4
WARM_UP_REQUESTS = 100

ONE_ROW = "one row"
LIST = "list of 20"
CREATE = "create"
OPERATIONS = (ONE_ROW, LIST, CREATE)
BOUND = 1.15
"""The service against FastAPI with none of the contract; and it has to be ahead of the same one."""
CONTENDERS = (CORE, ORM, SERVICE, FASTAPI, CONTRACT)


@dataclass(frozen=True)
class Operation:
    """A request that is sent to each server."""

    name: str
    make: Callable[[], bytes]
    status: int


@contextmanager
def servers(
    project: Project, url: str, names: Sequence[str] = CONTENDERS
) -> Iterator[dict[str, Server]]:
    """Run these servers on one database; yield them by name."""
    project.flask("db", "upgrade", DATABASE_URL=url)
    with ExitStack() as stack:
        yield {name: stack.enter_context(running(name, project, url)) for name in names}


def bodies() -> Iterator[bytes]:
    """Yield bodies of creates, each with another code."""
    for number in itertools.count():
        item = {
            "code": f"B-{number}-{uuid4().hex[:8]}",
            "name": f"An item of the benchmark, number {number}",
            "status": "active",
            "price": f"{number % 1000}.50",
            "available_at": "2030-01-31T12:00:00Z",
        }
        yield json.dumps(item).encode()


def seed(server: Server, count: int) -> list[str]:
    """Create rows through this server and return their ids."""
    with connected(server.port, 1) as (connection,):
        responses = [
            connection.send(post(PATH, body)) for body in itertools.islice(bodies(), count)
        ]
    return [json.loads(body)["id"] for _, body in responses]


def operations(ids: list[str]) -> list[Operation]:
    """Return the three operations on these rows."""
    reads = itertools.cycle([get(f"{PATH}/{row_id}") for row_id in ids])
    page = get(f"{PATH}?limit={PAGE}")
    creates = bodies()
    return [
        Operation(ONE_ROW, lambda: next(reads), 200),
        Operation(LIST, lambda: page, 200),
        Operation(CREATE, lambda: post(PATH, next(creates)), 201),
    ]


def measure(
    database: str, names: Sequence[str] = CONTENDERS, *, rounds: int, requests: int
) -> tuple[Samples, Samples]:
    """Return CPU seconds and seconds per request, of each operation on each of these servers."""
    cpu, wall = Samples(), Samples()
    with (
        baked(database) as project,
        database_url(project) as url,
        servers(project, url, names) as started,
    ):
        if CONTRACT in started:
            compare_answers(started[SERVICE], started[CONTRACT])
        asked = operations(seed(started[names[0]], ROWS))
        for operation, server in itertools.product(asked, started.values()):
            one_round(server, operation, WARM_UP_REQUESTS)
        for number in range(rounds):
            turn = number % len(names)
            for operation, name in itertools.product(asked, (*names[turn:], *names[:turn])):
                spent, passed = one_round(started[name], operation, requests)
                cpu.add(f"{operation.name}/{name}", spent)
                wall.add(f"{operation.name}/{name}", passed)
    return cpu, wall


def one_round(server: Server, operation: Operation, count: int) -> tuple[float, float]:
    """Return CPU seconds of the server and seconds, per request."""
    requests = [operation.make() for _ in range(count)]
    with connected(server.port, CONNECTIONS) as connections:
        run(connections, requests[:CONNECTIONS], operation.status)
        measured = requests[CONNECTIONS:]
        began, before = time.perf_counter(), server.cpu_seconds()
        run(connections, measured, operation.status)
        spent, passed = server.cpu_seconds() - before, time.perf_counter() - began
    return spent / len(measured), passed / len(measured)


def table(database: str, *, rounds: int = 15, requests: int = 200) -> Table:
    """Return the comparison as a table; the service has to stay below its bound."""
    cpu, wall = measure(database, rounds=rounds, requests=requests)
    rows = []
    for operation, name in itertools.product(OPERATIONS, CONTENDERS):
        key = f"{operation}/{name}"
        details = (f"{cpu.median(key) * 1e6:.0f} us", f"{1 / wall.median(key):.0f}")
        bound = None
        if name == SERVICE:
            floor, rival = (
                cpu.ratio(f"{operation}/{other}", f"{operation}/{CORE}")
                for other in (FASTAPI, CONTRACT)
            )
            bound = min(BOUND * floor, rival)
        ratio = cpu.ratio(key, f"{operation}/{CORE}")
        rows.append(Row(f"{operation}: {name}", ratio, bound, details))
    return Table(
        f"CPU a request, {database}",
        ("CPU a request", "requests/s"),
        rows,
        "CPU / Core",
        "Everything of the service is on. The bound is the ratio of FastAPI with the same contract,"
        " or 1.15 times that of FastAPI without it, whichever is lower.",
    )
