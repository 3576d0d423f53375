"""How the time of a page grows with the table: every filter and sort that the document offers.

A resource with an indexed field of each type has 1,000 rows in one database and a thousand times
as many in another of the same server. Both are asked for the same pages in turn, in process:
the first one, and one behind a tenth of all rows, which is the 5,000th of a million. `table` runs
`python -m benchmarks.growth` in a generated project, which prints the
least CPU of the process and of the database's server: waiting for other work costs none.
"""

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
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
ANALYZE = {"postgresql": "VACUUM ANALYZE items", "mariadb": "ANALYZE TABLE items"}
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
CODE, RANK, AT = 7_919, 104_729, 1_299_709
"""Primes: `n * RANK % rows` is each number once, in an order of its own."""


def row(n: int, rows: int) -> dict[str, Any]:
    """Return the n-th of so many rows; equal values are as frequent in both tables."""
    return {
        "id": row_id(n),
        "version": 1,
        "created_at": BEGIN + timedelta(seconds=n),
        "updated_at": BEGIN + timedelta(seconds=n),
        "code": f"code-{n * CODE % rows:07}",
        "name": f"name-{n % 5}",
        "rank": n * RANK % rows,
        "price": Decimal(n % 7) / 100,
        "day": date(2030, 1, 1) + timedelta(days=n % 43),
        "at": BEGIN + timedelta(seconds=n * AT % rows),
        "flag": n % 2 == 0,
        "token": token(n),
        "status": "rare" if n % 41 == 1 else "common",
        "parent_id": row_id(n % PARENTS) if n >= PARENTS else None,
        "note": f"note-{n % 11}" if n % 2 else None,
    }


def token(n: int) -> UUID:
    """Return the random UUID of a row."""
    digest = hashlib.md5(str(n).encode(), usedforsecurity=False).hexdigest()
    return UUID(f"{digest[:12]}4{digest[13:16]}8{digest[17:]}")


# The same rows as `row` returns, made by the server.
ROWS = """
INSERT INTO items (id, version, created_at, updated_at, code, name, {rank}, price, day, at, flag,
    token, status, parent_id, note)
SELECT {id}, 1, {created_at}, {created_at}, {code}, {name}, n * {RANK} % {rows}, (n % 7) / 100.0,
    {day}, {at}, n % 2 = 0, {token}, CASE WHEN n % 41 = 1 THEN 'rare' ELSE 'common' END,
    CASE WHEN n >= 3 THEN {parent_id} END, CASE WHEN n % 2 = 1 THEN {note} END
FROM {numbers}
"""
DIALECTS = {
    "postgresql": {
        "rank": "rank",
        "id": "('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid",
        "parent_id": "('01900000-0000-7000-8000-' || lpad(to_hex(n % 3), 12, '0'))::uuid",
        "created_at": "timestamptz '2020-01-01 00:00:00+00' + n * interval '1 second'",
        "at": "timestamptz '2020-01-01 00:00:00+00' + (n * {AT} % {rows}) * interval '1 second'",
        "code": "'code-' || lpad((n * {CODE} % {rows})::text, 7, '0')",
        "name": "'name-' || n % 5",
        "note": "'note-' || n % 11",
        "day": "date '2030-01-01' + (n % 43)::int",
        "token": "(substr(md5(n::text), 1, 12) || '4' || substr(md5(n::text), 14, 3) || '8'"
        " || substr(md5(n::text), 18))::uuid",
        "numbers": "generate_series(0::bigint, {rows} - 1) AS n",
    },
    "mariadb": {
        "rank": "`rank`",
        "id": "concat('01900000-0000-7000-8000-', lpad(hex(n), 12, '0'))",
        "parent_id": "concat('01900000-0000-7000-8000-', lpad(hex(n % 3), 12, '0'))",
        "created_at": "timestamp '2020-01-01 00:00:00' + INTERVAL n SECOND",
        "at": "timestamp '2020-01-01 00:00:00' + INTERVAL (n * {AT} % {rows}) SECOND",
        "code": "concat('code-', lpad(n * {CODE} % {rows}, 7, '0'))",
        "name": "concat('name-', n % 5)",
        "note": "concat('note-', n % 11)",
        "day": "date '2030-01-01' + INTERVAL (n % 43) DAY",
        "token": "concat(substr(md5(n), 1, 8), '-', substr(md5(n), 9, 4), '-4', substr(md5(n), 14,"
        " 3), '-8', substr(md5(n), 18, 3), '-', substr(md5(n), 21))",
        "numbers": "(SELECT seq AS n FROM seq_0_to_{last}) AS numbers",
    },
}


def insert_of_all(dialect: str, rows: int) -> str:
    """Return the statement that writes so many rows."""
    numbers = {"rows": rows, "last": rows - 1, "CODE": CODE, "RANK": RANK, "AT": AT}
    parts = {name: text.format(**numbers) for name, text in DIALECTS[dialect].items()}
    return ROWS.format(**parts, **numbers)


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
        "price, a seventh": {"price": "0.03"},
        "price_to, three sevenths": {"price_to": "0.03"},
        "day, one of 43": {"day": "2030-01-07"},
        "day_from, a half": {"day_from": "2030-01-21"},
        "at": {"at": instant(half)},
        "at_from and at_to, 4 %": {"at_from": instant(half), "at_to": instant(more)},
        "flag, a half": {"flag": "true"},
        "token": {"token": str(row(half, rows)["token"])},
        "status, one in 41": {"status": "rare"},
        "status, the rest": {"status": "common"},
        "parent_id, a third": {"parent_id": str(row_id(1))},
        "note, one in 22": {"note": "note-3"},
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
        from sqlalchemy import create_engine, insert, text  # noqa: PLC0415

        with self.app.app_context():
            dialect = db.engine.dialect.name
            if dialect not in DIALECTS:
                for numbers in batches(self.rows):
                    db.session.execute(insert(Item), [row(n, self.rows) for n in numbers])
                    db.session.commit()
                return
            # Without a limit of time; indexes of a full table are made faster than kept.
            parent = Item.__table__.c.parent_id  # its foreign key keeps its index on MariaDB
            dropped = [each for each in Item.__table__.indexes if parent not in set(each.columns)]
            loader = create_engine(db.engine.url, isolation_level="AUTOCOMMIT")
            with loader.connect() as connection:
                for index in dropped:
                    index.drop(connection)
                connection.execute(text(insert_of_all(dialect, self.rows).replace(":", r"\:")))
                for index in dropped:
                    index.create(connection)
                connection.execute(text(ANALYZE[dialect]))
            loader.dispose()

    def check(self) -> None:
        """Raise RuntimeError unless the rows are there as `row` returns them."""
        from my_service.database import db  # noqa: PLC0415
        from my_service.resources.items.models import Item  # noqa: PLC0415

        with self.app.app_context():
            for n in (0, self.rows // 3, self.rows - 1):
                found, expected = db.session.get_one(Item, row_id(n)), row(n, self.rows)
                values = {name: getattr(found, name) for name in expected}
                if values != expected:
                    raise RuntimeError(f"The row is {values}, not {expected}.")

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
                pid_file = db.session.scalar(text("SELECT @@pid_file"))
                self.server = psutil.Process(int(Path(pid_file).read_text(encoding="utf-8")))

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
        service.find_server()
        service.fill()
        service.check()
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
        found = project.measured_by("benchmarks.growth", *urls, rows, repeats, seconds=RUN_SECONDS)
    return summary(database, rows, found)


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
