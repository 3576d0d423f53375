"""Slow and many callers: the proxy of compose.yaml before the service, and gunicorn alone.

The real Caddy reads the Caddyfile that the container reads, in the version of the image.
"""

import contextlib
import http.client
import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.proxy import CADDY, Proxy, adapted, compose_environment, proxy
from tests.harness.report import Proved
from tests.harness.servers import HOST, Service, database, production

pytestmark = [
    pytest.mark.slow,
    pytest.mark.about("deployment"),
    pytest.mark.xdist_group("proxy"),  # to start service and proxy once
]

PATH = "/api/v1/items"
THREADS = 8
"""WORKERS (2) x THREADS (4) of a service with the defaults."""

ATTACKERS = 100
"""Callers of each kind: twelve times as many as the service has threads."""

IDLE = 300
PATIENCE_SECONDS = 10

HALF_HEAD = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nX-A: "
JSON_HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
HALF_BODY = f'{JSON_HEAD}Content-Length: 500\r\n\r\n{{"name": "'
HALF_CHUNKS = f'{JSON_HEAD}Transfer-Encoding: chunked\r\n\r\n9\r\n{{"name": \r\n'


@pytest.fixture(scope="module")
def project(session_bake: Bake) -> BakedProject:
    """A project with the defaults."""
    return session_bake()


@pytest.fixture(scope="module")
def service(
    project: BakedProject, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The service with the settings of compose.yaml."""
    folder = tmp_path_factory.mktemp("service")
    with database(project, environment, folder) as url:
        settings = {
            **production(url, GRACEFUL_TIMEOUT_SECONDS="1", HSTS_SECONDS="60"),
            **compose_environment(project, "service"),
        }
        flask = (environment.program("flask"), "--app", project.package)
        project.run(*flask, "db", "upgrade", variables={**environment.variables, **settings})
        with Service(project, environment, settings, folder / "log") as running:
            yield running


@pytest.fixture(scope="module")
def front(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The proxy as compose.yaml starts it."""
    with proxy(service, tmp_path_factory.mktemp("proxy")) as running:
        yield running


def connect(stack: ExitStack, port: int, text: str = "") -> socket.socket:
    """Return a connection on which this was sent; it is closed with the stack."""
    connection = stack.enter_context(socket.create_connection((HOST, port), PATIENCE_SECONDS))
    connection.sendall(text.encode())
    return connection


def names(service: Service) -> set[str]:
    """Return the names of the newest rows."""
    page = service.call("GET", f"{PATH}?limit=100&sort=created_at_desc").json
    return {row["name"] for row in page["items"]}


def requests_of(service: Service) -> int:
    """Return the number of requests that the service has logged."""
    return service.log.read_text().count('"event":"request"')


def is_closed(connection: socket.socket) -> bool:
    """Wait until the other side ends the connection."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass
    return True


def test_the_service_stays_reachable_behind_its_proxy(
    service: Service, front: Proxy, proved: Proved
) -> None:
    with ExitStack() as stack:
        for _ in range(ATTACKERS):
            for text in (HALF_HEAD, HALF_BODY, HALF_CHUNKS):
                connect(stack, front.port, text)
        for _ in range(IDLE):
            connect(stack, front.port)
        before = requests_of(service)
        began = time.monotonic()
        for number in range(THREADS):
            name = f"through {number} {uuid4()}"
            assert front.call("POST", PATH, {"name": name}).status == 201
            assert front.call("GET", PATH).status == 200
        seconds = time.monotonic() - began
        assert seconds < PATIENCE_SECONDS
        assert requests_of(service) == before + 2 * THREADS, "half a request was passed on"
    proved("slow callers", connections=3 * ATTACKERS + IDLE, seconds=round(seconds, 2))


def is_held_up(service: Service) -> bool:
    """Return whether the service does not respond within a moment."""
    with ExitStack() as stack:
        probe = connect(stack, service.port, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        probe.settimeout(0.5)
        try:
            return not probe.recv(1)
        except TimeoutError:
            return True


@pytest.mark.parametrize(
    "text", [HALF_HEAD, HALF_BODY, HALF_CHUNKS], ids=["head", "body", "chunks"]
)
def test_gunicorn_alone_is_held_up(service: Service, text: str) -> None:
    """As docs/operations.md says: this is why the proxy is there."""
    with ExitStack() as stack:
        for _ in range(ATTACKERS):  # the kernel decides which worker gets a connection
            connect(stack, service.port, text)
            if is_held_up(service):
                break
        else:
            pytest.fail("gunicorn alone holds slow callers off: is the proxy still needed?")
    assert service.call("GET", "/livez").status == 200


def test_a_client_that_does_not_read_holds_no_thread(service: Service, front: Proxy) -> None:
    text = "x" * 200_000
    for _ in range(50):
        row = {"name": f"large {uuid4()}", "description": text}
        assert service.call("POST", PATH, row).status == 201
    request = f"GET {PATH}?limit=50&sort=created_at_desc HTTP/1.1\r\nHost: x\r\n\r\n"
    before = requests_of(service)
    with ExitStack() as stack:
        for _ in range(2 * THREADS):
            connect(stack, front.port, request)
        end = time.monotonic() + PATIENCE_SECONDS
        while requests_of(service) < before + 2 * THREADS:
            assert time.monotonic() < end, "a client that does not read holds a thread"
            time.sleep(0.05)
        assert front.call("GET", "/livez").status == 200


def test_what_does_not_come_in_time_is_given_up(service: Service, tmp_path: Path) -> None:
    short = {"read_header_timeout": 0.5, "read_timeout": 1, "idle_timeout": 0.5}
    before = requests_of(service)
    with proxy(service, tmp_path, timeouts=short) as hurried, ExitStack() as stack:
        # Caddy 2.11 gives a body with a length up, too, but keeps its connection.
        connect(stack, hurried.port, HALF_BODY)
        texts = (HALF_HEAD, HALF_CHUNKS, "")
        connections = [connect(stack, hurried.port, text) for text in texts]
        assert all(is_closed(connection) for connection in connections)
    assert requests_of(service) == before + 1  # the probe


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_nothing_is_stored_from_a_body_that_is_cut_off(
    service: Service, front: Proxy, framing: str
) -> None:
    name = f"cut {uuid4()}"
    body = json.dumps({"name": name})
    texts = {
        "length": f"{JSON_HEAD}Content-Length: {len(body) + 5}\r\n\r\n{body}",
        "chunks": f"{JSON_HEAD}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}\r\n",
    }
    with ExitStack() as stack:
        connection = connect(stack, front.port, texts[framing])
        connection.shutdown(socket.SHUT_WR)
        assert is_closed(connection)
    assert name not in names(service)
    assert front.call("GET", PATH).status == 200


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_large_body_is_rejected_by_the_proxy(front: Proxy, framing: str) -> None:
    limit = int(compose_environment(front.project, "proxy")["MAX_BODY_BYTES"])
    # One byte more than the limit, so that the proxy reads all: a byte left over would make the
    # system reset the connection, and a response that is not yet read would be lost.
    body = "x" * (limit + 1)
    texts = {
        "length": f"Content-Length: {len(body)}\r\n\r\n{body}",
        "chunks": f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}\r\n0\r\n\r\n",
    }
    with ExitStack() as stack:
        connection = connect(stack, front.port, f"{JSON_HEAD}Connection: close\r\n")
        connection.sendall(texts[framing].encode())
        said = connection.makefile("rb").read()
    assert said.startswith(b"HTTP/1.1 413 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["status"] == 413


def test_a_large_head_is_rejected_before_the_service(service: Service, front: Proxy) -> None:
    path = f"/{uuid4()}"
    with ExitStack() as stack:
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-A: {'x' * 32 * 1024}"
        connection = connect(stack, front.port, head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 431 ")
    assert path not in service.log.read_text()


def test_a_caller_is_who_the_proxy_says(service: Service, front: Proxy) -> None:
    forged = {
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/forged",
        "X-Request-ID": uuid4().hex,
    }
    created = front.call("POST", PATH, {"name": f"forged {uuid4()}"}, forged)
    assert created.headers["Location"].startswith(f"{PATH}/")
    assert "Strict-Transport-Security" not in created.headers
    lines = service.log.read_text().splitlines()
    [line] = [line for line in lines if forged["X-Request-ID"] in line]
    assert json.loads(line)["client"] == HOST


def test_a_connection_serves_several_requests(front: Proxy) -> None:
    connection = http.client.HTTPConnection(HOST, front.port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        for _ in range(3):
            connection.request("GET", PATH)
            response = connection.getresponse()
            response.read()
            assert (response.status, response.will_close) == (200, False)


def test_a_service_that_is_down_is_a_problem(service: Service, front: Proxy) -> None:
    assert service.stop() == 0
    try:
        response = front.call("GET", PATH)
    finally:
        service.start()
    assert response.is_problem(502)
    assert response.json["title"] == "Bad Gateway"
    assert front.call("GET", PATH).status == 200


def test_with_a_name_the_proxy_speaks_tls(service: Service, tmp_path: Path) -> None:
    """For `localhost` Caddy is its own authority; for other names it asks a public one."""
    name = {"PUBLIC_HOST": "localhost"}
    request = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with ExitStack() as stack:
        front = stack.enter_context(proxy(service, tmp_path, variables=name, kind=TlsProxy))
        secure = stack.enter_context(connect_securely(front.port))
        secure.sendall(request.encode())
        said = secure.makefile("rb").read()
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nStrict-Transport-Security: max-age=60" in said, "the service knows of the TLS"


def connect_securely(port: int) -> ssl.SSLSocket:
    """Return an encrypted connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    raw = socket.create_connection((HOST, port), PATIENCE_SECONDS)
    try:
        return context.wrap_socket(raw, server_hostname="localhost")
    except OSError:
        raw.close()
        raise


class TlsProxy(Proxy):
    """A proxy with a name, for which it makes a certificate after its start."""

    def is_alive(self) -> bool:
        """Return whether it has its certificate."""
        try:
            connect_securely(self.port).close()
        except OSError:
            return False
        return True


def test_only_the_proxy_is_published(project: BakedProject) -> None:
    services = yaml.safe_load(project.text("compose.yaml"))["services"]
    assert [name for name, each in services.items() if "ports" in each] == ["proxy"]


def test_the_image_of_the_proxy_has_the_version_that_was_proven(project: BakedProject) -> None:
    done = subprocess.run([CADDY, "version"], capture_output=True, text=True, check=True)
    [version] = re.findall(r"^v([\d.]+) ", done.stdout)
    image = yaml.safe_load(project.text("compose.yaml"))["services"]["proxy"]["image"]
    assert image == f"caddy:{version}"


def test_the_limits_of_proxy_and_service_fit(project: BakedProject) -> None:
    [server] = adapted(project, "service:8000", {})["apps"]["http"]["servers"].values()
    assert server["listen"] == [":80"]
    handlers = {each["handler"]: each for each in server["routes"][0]["handle"]}
    given = compose_environment(project, "service")
    assert handlers["request_body"]["max_size"] == int(given["MAX_BODY_BYTES"])
    assert handlers["reverse_proxy"]["request_buffers"] > int(given["MAX_BODY_BYTES"])
    assert given["TRUSTED_PROXIES"] == "1"
    [idle] = re.findall(r"^keepalive = (\d+)", project.text("gunicorn.conf.py"), re.MULTILINE)
    assert handlers["reverse_proxy"]["transport"]["keep_alive"]["idle_timeout"] < int(idle) * 1e9
    assert server["read_timeout"] < server["write_timeout"]
