"""Two releases on one database under load: neither the new one nor the way back fails a request.

A load balancer, played by the test, sends requests to each replica that is ready, as Kubernetes
does. The drill is a rolling update with a migration, and then a rollback to the older release.
"""

import itertools
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.servers import Service, database, production

pytestmark = [pytest.mark.slow, pytest.mark.about("database")]

PATH = "/api/v1/items"
SENDERS = 3
MORE = 20
"""How many requests each phase waits for."""

COLOR = """    color: Mapped[str | None] = mapped_column(ExactString(20))

    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "color", "id"),
        CheckConstraint("color <> ''", name="color"),
    )
"""
PROBE_SECONDS = 0.1
PAUSE_SECONDS = 0.02
"""Between two requests of a sender, so that the replicas get the processor, too."""

SECONDS = 30


@dataclass
class Balancer:
    """Sends requests to the replicas that are ready, and counts what each responds."""

    replicas: dict[str, Service] = field(default_factory=dict)
    ready: list[str] = field(default_factory=list)
    responses: Counter[tuple[str, object]] = field(default_factory=Counter)
    created: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    def probe(self) -> None:
        """Ask all replicas for their readiness, again and again."""
        while not self.stopped.wait(PROBE_SECONDS):
            self.ready = [name for name, each in list(self.replicas.items()) if is_ready(each)]

    def send(self, number: int) -> None:
        """Create rows and list them, one after the other."""
        for index in itertools.count():
            if self.stopped.wait(PAUSE_SECONDS):
                return
            names = self.ready
            if not names:
                continue
            name = names[(number + index) % len(names)]
            row = f"{number}-{index}"
            self._count(name, self._exchange(name, "POST", row), row)
            self._count(name, self._exchange(name, "GET"))

    def _exchange(self, name: str, method: str, row: str | None = None) -> object:
        body = None if row is None else {"name": row}
        try:
            return self.replicas[name].call(method, PATH, body).status
        except OSError as error:
            return repr(error)

    def _count(self, name: str, status: object, row: str = "") -> None:
        with self.lock:
            self.responses[name, status] += 1
            if status == 201:
                self.created.add(row)

    def served_by(self, name: str) -> int:
        """Return how many requests the replica has answered well."""
        return self.responses[name, 201] + self.responses[name, 200]

    def wait_until_serving(self, *names: str) -> None:
        """Wait until these replicas, and no others, get requests, and have answered some more."""
        wait_for(lambda: sorted(self.ready) == sorted(names))
        before = {name: self.served_by(name) for name in names}
        wait_for(lambda: all(self.served_by(name) >= before[name] + MORE for name in names))


def is_ready(service: Service) -> bool:
    """Return whether the replica responds that it is ready."""
    with suppress(OSError):
        return service.call("GET", "/readyz").status == 200
    return False


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds. Raises AssertionError if that takes too long."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "It takes too long."
        time.sleep(0.02)


@contextmanager
def balancer() -> Iterator[Balancer]:
    """Send requests while the block runs."""
    made = Balancer()
    with ThreadPoolExecutor(SENDERS + 1) as pool:
        running = [pool.submit(made.probe), *(pool.submit(made.send, n) for n in range(SENDERS))]
        try:
            yield made
        finally:
            made.stopped.set()
            for each in running:
                each.result(SECONDS)


def newer_release(project: BakedProject, folder: Path) -> BakedProject:
    """Return a copy of the project whose items have a color, with an index and a CHECK."""
    path = folder / "newer"
    shutil.copytree(project.path, path)
    newer = BakedProject(path, project.answers)
    resource = newer.source / "resources" / "items"
    replace(
        resource / "models.py",
        ("import Index\n", "import CheckConstraint, Index\n"),
        (
            '    __table_args__ = (Index(None, "created_at", "id"),)\n',
            COLOR,
        ),
    )
    replace(
        resource / "schemas.py",
        (
            "    description: str | None\n",
            "    description: str | None\n    color: str | None\n",
        ),
    )
    return newer


def replace(path: Path, *replacements: tuple[str, str]) -> None:
    """Replace texts that a file has once."""
    text = path.read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mariadb", "mysql"])
def test_an_update_and_a_rollback_fail_no_request(
    engine: str, bake: Bake, environment: Environment, tmp_path: Path, proved: Proved
) -> None:
    older = bake(project_slug="my-service", database=engine)
    newer = newer_release(older, tmp_path)
    flask = (environment.program("flask"), "--app", "my_service")
    with database(older, environment, tmp_path) as url, ExitStack() as stack:
        settings = {**production(url), "DRAIN_SECONDS": "1", "WORKERS": "1"}
        variables = {**environment.variables, **settings}
        older.run(*flask, "db", "upgrade", variables=variables)
        newer.run(*flask, "db", "revision", "-m", "Add a color", variables=variables)
        load = stack.enter_context(balancer())

        def start(name: str, project: BakedProject) -> Service:
            service = Service(project, environment, settings, tmp_path / f"{name}.log")
            load.replicas[name] = stack.enter_context(service)
            return service

        first = start("older", older)
        load.wait_until_serving("older")
        second = start("newer", newer)
        load.wait_until_serving("older")  # the newer one is behind, and gets no request
        assert second.call("GET", "/readyz").status == 503
        newer.run(*flask, "db", "upgrade", variables=variables)
        load.wait_until_serving("newer", "older")
        first.stop()
        load.wait_until_serving("newer")

        said = older.run(*flask, "db", "upgrade", variables=variables).stdout
        assert "ahead of this code" in said
        start("older again", older)
        load.wait_until_serving("newer", "older again")
        second.stop()
        load.wait_until_serving("older again")
        load.stopped.set()

        rows = names_of_all_rows(load.replicas["older again"])
    assert {status for _, status in load.responses} == {200, 201}, load.responses
    assert sorted(rows) == sorted(load.created)
    proved("update and rollback", engine=engine, requests=load.responses.total())


def names_of_all_rows(service: Service) -> list[str]:
    """Read the names of all rows, page by page."""
    names: list[str] = []
    query = ""
    while True:
        page = service.call("GET", f"{PATH}?limit=100{query}").json
        names += [row["name"] for row in page["items"]]
        if page["next"] is None:
            return names
        query = f"&cursor={page['next']}"
