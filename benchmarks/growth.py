"""How the time of a page grows with the table: every filter and sort that the document offers.

A resource with an indexed field of each type has 1,000 rows in one database and a thousand times
as many in another of the same server. Both are asked for the same pages in turn, in process:
the first one, and one behind a tenth of all rows, which is the 5,000th of a million. `table` runs
`python -m benchmarks.growth` in a generated project, which prints the
least CPU of the process and of the database's server: waiting for other work costs none.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psutil

from benchmarks.databases import database_urls
from benchmarks.http.contenders import cpu_seconds
from benchmarks.projects import baked
from benchmarks.report import Row, Table

RUN_SECONDS = 3600
BOUND = 1.5
SMALL = 1_000
LARGE = {"sqlite": 100_000}
LARGE_ON_SERVERS = 1_000_000
BATCH = 5_000
SLOW_SECONDS = 0.25
"""A page that takes longer is asked for twice only."""

PATH = "/api/v1/items"
FIELDS = (
    "code:string:64:unique name:string:100:index rank:integer:index price:decimal:12:2:index"
    " day:date:index at:datetime:index flag:boolean:index token:uuid:index"
    " status:enum:common:rare:index parent:ref:items:optional note:string:40:optional:index"
)
SORTED = ("created_at", "code", "name", "rank", "price", "day", "at")
SORTS = [f"{name}{end}" for name in SORTED for end in ("", "_desc")]
DEFAULT = "created_at"

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
PARENTS = 3
STRIDE = 7_919
"""A prime: `n * STRIDE % rows` is each number once, in no order."""


def row(n: int, rows: int) -> dict[str, Any]:
    """Return the n-th of so many rows; equal values are as frequent in both tables."""
    return {
        "id": row_id(n),
        "version": 1,
        "created_at": BEGIN + timedelta(seconds=n),
        "updated_at": BEGIN + timedelta(seconds=n),
        "code": f"code-{n * STRIDE % rows:07}",
        "name": f"name-{n % 5}",
        "rank": n * STRIDE % rows,
        "price": Decimal(n % 5) / 100,
        "day": date(2030, 1, 1) + timedelta(days=n % 40),
        "at": BEGIN + timedelta(seconds=n * STRIDE % rows),
        "flag": n % 2 == 0,
        "token": UUID(int=n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4),
        "status": "rare" if n % 40 == 1 else "common",
        "parent_id": row_id(n % PARENTS) if n >= PARENTS else None,
        "note": f"note-{n % 5}" if n % 2 else None,
    }


def row_id(n: int) -> UUID:
    """Return an id that grows with n, as UUIDv7 do."""
    return UUID(int=0x0190 << 112 | 7 << 76 | 2 << 62 | n)


def batches(rows: int) -> Iterator[range]:
    """Yield the numbers of all rows, some at a time."""
    for first in range(0, rows, BATCH):
        yield range(first, min(first + BATCH, rows))


def filters(rows: int) -> dict[str, dict[str, str]]:
    """Return the parameters of each filter, by what it is called in the table."""

    def instant(n: int) -> str:
        return (BEGIN + timedelta(seconds=n)).isoformat().replace("+00:00", "Z")

    half, more = rows // 2, rows // 2 + rows // 25
    return {
        "no filter": {},
        "code": {"code": f"code-{half:07}"},
        "name, a fifth": {"name": "name-1"},
        "rank": {"rank": str(half)},
        "rank_from, a half": {"rank_from": str(half)},
        "rank_from and rank_to, 4 %": {"rank_from": str(half), "rank_to": str(more)},
        "price, a fifth": {"price": "0.03"},
        "price_to, three fifths": {"price_to": "0.03"},
        "day, a fortieth": {"day": "2030-01-07"},
        "day_from, a half": {"day_from": "2030-01-21"},
        "at": {"at": instant(half)},
        "at_from and at_to, 4 %": {"at_from": instant(half), "at_to": instant(more)},
        "flag, a half": {"flag": "true"},
        "token": {"token": str(row(half, rows)["token"])},
        "status, a fortieth": {"status": "rare"},
        "status, the rest": {"status": "common"},
        "parent_id, a third": {"parent_id": str(row_id(1))},
        "note, a tenth": {"note": "note-3"},
    }


def matches(values: Mapping[str, Any], parameters: Mapping[str, str]) -> bool:
    """Return whether a row passes the filter."""
    for name, text in parameters.items():
        field = name.removesuffix("_from").removesuffix("_to")
        value = values[field]
        if value is None:
            return False
        wanted = parse(value, text)
        if name.endswith("_from"):
            passes = value >= wanted
        elif name.endswith("_to"):
            passes = value < wanted
        else:
            passes = value == wanted
        if not passes:
            return False
    return True


def parse(value: Any, text: str) -> Any:
    """Return what the text of a parameter stands for, as the type of this value."""
    if isinstance(value, bool):
        return text == "true"
    if isinstance(value, datetime | date):
        return type(value).fromisoformat(text)
    return type(value)(text)


def listener(port: int) -> psutil.Process:
    """Return the process that listens on a port of this machine."""
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
            return psutil.Process(each.pid)
    raise RuntimeError(f"No process is found that listens on port {port}.")


class Service:
    """The service on a database with so many rows, in this process."""

    def __init__(self, url: str, rows: int) -> None:
        from my_service import create_app  # noqa: PLC0415
        from my_service.settings import Settings  # noqa: PLC0415

        self.rows = rows
        self.app = create_app(Settings(database_url=url, threads=1, log_level="error"))
        self.client = self.app.test_client()
        self.filters = filters(rows)
        self.server: psutil.Process | None = None

    def fill(self) -> None:
        """Write the rows, and let the engine look at them as it would in time."""
        from my_service.database import db  # noqa: PLC0415
        from my_service.resources.items.models import Item  # noqa: PLC0415
        from sqlalchemy import insert, text  # noqa: PLC0415

        with self.app.app_context():
            table = insert(Item)
            for numbers in batches(self.rows):
                db.session.execute(table, [row(n, self.rows) for n in numbers])
                db.session.commit()
            commands = {"postgresql": "VACUUM ANALYZE items", "mysql": "ANALYZE TABLE items"}
            command = commands.get(db.engine.dialect.name.replace("mariadb", "mysql"))
            if command:
                with db.engine.connect() as connection:
                    connection.execution_options(isolation_level="AUTOCOMMIT")
                    connection.execute(text(command))

    def cpu_seconds(self) -> float:
        """Return the CPU that this process and the server of the database have used so far."""
        if self.server is None:
            return time.process_time()
        return time.process_time() + cpu_seconds(self.server)

    def find_server(self) -> None:
        """Find the process of the server that works for this one's only connection."""
        from my_service.database import db  # noqa: PLC0415
        from sqlalchemy import text  # noqa: PLC0415

        with self.app.app_context():
            if db.engine.dialect.name == "postgresql":
                pid = db.session.scalar(text("SELECT pg_backend_pid()"))
                self.server = psutil.Process(pid)
            elif db.engine.dialect.name in ("mariadb", "mysql"):
                port = db.session.scalar(text("SELECT @@port"))
                self.server = listener(port)

    def pages(self, name: str, sort: str) -> Iterator[tuple[str, str]]:
        """Yield the URLs of the first page and of a later one, if a row there passes the filter."""
        parameters = {**self.filters[name], "sort": sort}
        yield "first", self.url(parameters)
        n = self.later_row(name)
        if n is not None:
            yield "later", self.url({**parameters, "cursor": self.cursor(n, parameters)})

    def later_row(self, name: str) -> int | None:
        """Return the first row behind a tenth of all that passes the filter, if one is near."""
        near = range(self.rows // 10, self.rows // 10 + 100)
        parameters = self.filters[name]
        return next((n for n in near if matches(row(n, self.rows), parameters)), None)

    def url(self, parameters: Mapping[str, str]) -> str:
        """Return the URL of a page."""
        from urllib.parse import urlencode  # noqa: PLC0415

        return f"{PATH}?{urlencode(parameters)}"

    def cursor(self, n: int, parameters: Mapping[str, str]) -> str:
        """Return the cursor of the page behind a row."""
        from my_service.resources.items.routes import SORT_KEYS  # noqa: PLC0415
        from my_service.resources.items.schemas import ItemQuery  # noqa: PLC0415
        from my_service.web.pagination import _cursor_after  # noqa: PLC0415

        query = ItemQuery.model_validate(dict(parameters))
        with self.app.test_request_context(self.url(parameters)):
            item = SimpleNamespace(**row(n, self.rows))
            cursor: str = _cursor_after(item, query, SORT_KEYS[query.sort])
            return cursor

    def page(self, url: str) -> tuple[float, int]:
        """Return the CPU seconds of a page and its number of rows. Raises RuntimeError."""
        began = self.cpu_seconds()
        response = self.client.get(url)
        passed = self.cpu_seconds() - began
        if response.status_code != 200:
            raise RuntimeError(f"{url}: {response.text[:500]}")
        return passed, len(response.json["items"])


def sample(urls: tuple[str, str], rows: int, repeats: int) -> list[dict[str, Any]]:
    """Return the least CPU of each page on the small and on the large table."""
    small, large = Service(urls[0], SMALL), Service(urls[1], rows)
    for service in (small, large):
        service.fill()
        service.find_server()
    found = []
    for name in small.filters:
        for sort in SORTS:
            for (page, small_url), (_, large_url) in zip(
                small.pages(name, sort), large.pages(name, sort), strict=False
            ):
                seconds = compared(small, small_url, large, large_url, repeats)
                if seconds:
                    found.append({"filter": name, "sort": sort, "page": page, "seconds": seconds})
    return found


def compared(
    small: Service, small_url: str, large: Service, large_url: str, repeats: int
) -> list[float]:
    """Return the least CPU of two pages, or nothing if they do not have as many rows."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(repeats):
        (one, rows), (other, other_rows) = small.page(small_url), large.page(large_url)
        if rows != other_rows or not rows:
            return []
        times[0].append(one)
        times[1].append(other)
        if number and min(times[1]) > SLOW_SECONDS:
            break
    return [min(each) for each in times]


def table(database: str, *, rows: int | None = None, repeats: int = 9) -> Table:
    """Return the growth of pages on an engine as a table."""
    rows = rows or LARGE.get(database, LARGE_ON_SERVERS)
    names = ("benchmark", "benchmark_large")
    with baked(database, FIELDS) as project, database_urls(project, names) as urls:
        for url in urls:
            project.flask("db", "upgrade", DATABASE_URL=url)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.growth", *urls, str(rows), str(repeats)],
            env=project.environment_with_benchmarks(),
            cwd=project.path,
            stdout=subprocess.PIPE,
            check=True,
            timeout=RUN_SECONDS,
        )
    return summary(database, rows, json.loads(done.stdout.splitlines()[-1]))


def summary(database: str, rows: int, pages: list[dict[str, Any]]) -> Table:
    """Return a row for each sort and for each filter; of a filter with other sorts, the slowest."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in pages:
        if each["filter"] == "no filter":
            title = f"sort={each['sort']}"
        elif each["sort"] == DEFAULT:
            title = each["filter"]
        else:
            title = f"{each['filter']}; other sorts"
        groups.setdefault(title, []).append(each)
    lines = []
    for title, group in groups.items():
        worst = max(group, key=lambda each: each["seconds"][1] / each["seconds"][0])
        small, large = worst["seconds"]
        where = worst["page"] if "other" not in title else f"{worst['page']}, {worst['sort']}"
        details = (f"{small * 1e3:.2f} ms", f"{large * 1e3:.2f} ms", where)
        lines.append(Row(title, large / small, BOUND, details))
    return Table(
        f"A page of {rows:,} rows against {SMALL:,}, {database}",
        (f"{SMALL:,} rows", f"{rows:,} rows", "the slowest page"),
        lines,
        "growth",
        "Of the first page and one behind a tenth of the rows, the one that grows more.",
    )


if __name__ == "__main__":
    first, second, count, times = sys.argv[1:]
    print(json.dumps(sample((first, second), int(count), int(times))))
