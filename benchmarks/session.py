"""The overhead of the context-bound session in a request, compared with a plain `with Session()`.

Measured in process, as WSGI calls of applications with one view each. `table` runs `python -m
benchmarks.session` in a generated project, which prints the samples.
"""

import io
import json
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.databases import database_url
from benchmarks.projects import Project, baked
from benchmarks.report import Row, Samples, Table

RUN_SECONDS = 600

UNUSED = "a request that does not touch the database"
USED = "a request that reads one value"
WITHOUT = "without"
BARE = "with Session()"
CONTEXT = "db.session"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def call(app: Wsgi) -> None:
    """Send a GET request, read the response to its end and close it, as a server does."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        "HTTP_HOST": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    statuses: list[str] = []
    body = app(environ, lambda status, *_headers: statuses.append(status))
    for _ in body:
        pass
    close = getattr(body, "close", None)
    if close is not None:
        close()
    if not statuses[0].startswith("200"):
        raise RuntimeError(f"Answered {statuses[0]}")


def sample(url: str, rounds: int, requests: int) -> Samples:
    """Return CPU seconds per request of each application, in interleaved rounds."""
    from flask import Flask  # noqa: PLC0415
    from my_service.database import Base, db  # noqa: PLC0415
    from my_service.settings import Settings  # noqa: PLC0415
    from sqlalchemy import literal, select  # noqa: PLC0415
    from sqlalchemy.orm import Session  # noqa: PLC0415

    settings = Settings(database_url=url, threads=1)
    one = select(literal(1))

    def make(view: Callable[[], str], *, bound: bool) -> Flask:
        app = Flask(__name__)
        if bound:
            db.init_app(app, settings)
        app.get("/")(view)
        return app

    owner = make(lambda: "", bound=True)
    with owner.app_context():
        engine = db.engine

    def with_bare() -> str:
        with Session(engine) as session:
            return str(session.scalar(one))

    def with_context() -> str:
        return str(db.session.scalar(one))

    apps = {
        f"{UNUSED}/{WITHOUT}": make(lambda: "1", bound=False),
        f"{UNUSED}/{CONTEXT}": make(lambda: "1", bound=True),
        f"{USED}/{BARE}": make(with_bare, bound=False),
        f"{USED}/{CONTEXT}": make(with_context, bound=True),
    }
    samples = Samples()
    for number in range(rounds + 1):
        for name, app in apps.items():
            before = time.process_time()
            for _ in range(requests):
                call(app.wsgi_app)
            if number:  # the first round warms up
                samples.add(name, (time.process_time() - before) / requests)
    engine.dispose()
    Base.registry.dispose()
    return samples


def measure(project: Project, url: str, *, rounds: int, requests: int) -> Samples:
    """Return the samples, taken in a process of the project."""
    arguments = (url, rounds, requests)
    return Samples(project.measured_by("benchmarks.session", *arguments, seconds=RUN_SECONDS))


def table(database: str = "sqlite", *, rounds: int = 40, requests: int = 100) -> Table:
    """Return the overhead of the session as a table."""
    with baked(database) as project, database_url(project) as url:
        samples = measure(project, url, rounds=rounds, requests=requests)
    rows = []
    for what, floor in ((UNUSED, WITHOUT), (USED, BARE)):
        name, below = f"{what}/{CONTEXT}", f"{what}/{floor}"
        added = samples.difference(name, below)
        details = (floor, f"{added * 1e6:+.1f} us")
        rows.append(Row(what, samples.ratio(name, below), None, details))
    return Table("The session", ("floor", "added"), rows, "CPU / floor")


if __name__ == "__main__":
    print(json.dumps(sample(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])).of))
