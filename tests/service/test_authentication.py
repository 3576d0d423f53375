"""Each kind of authentication in a running service: under gunicorn, on a real engine."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.baked import Bake, BakedProject, clean_environment
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.servers import SECRET_KEY, Service, database

pytestmark = [pytest.mark.slow, pytest.mark.about("auth")]

# The provider of the project's own tests; here it signs tokens on request.
PROVIDER = """
import json, sys
from tests.auth.provider import running_provider
with running_provider() as provider:
    print(provider.issuer, flush=True)
    for line in sys.stdin:
        print(provider.token(**json.loads(line)), flush=True)
"""

SETTINGS = {"SECRET_KEY": SECRET_KEY, "METRICS_PORT": "0", "DRAIN_SECONDS": "0"}
ROW = {"name": "The first one"}
PATH = "/api/v1/items"


class Provider:
    """An OpenID provider in its own process."""

    def __init__(self, project: BakedProject, environment: Environment) -> None:
        self.process = subprocess.Popen(
            [environment.python, "-c", PROVIDER],
            cwd=project.path,
            env=clean_environment(environment.variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.issuer = self._read()

    def token(self, **claims: object) -> str:
        """Return a token signed by the provider."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(claims) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line
        return line

    def stop(self) -> None:
        """Stop the provider."""
        self.process.communicate(timeout=30)


@contextmanager
def running(
    project: BakedProject, environment: Environment, folder: Path, **settings: str
) -> Iterator[Service]:
    """Start the migrated service."""
    with database(project, environment, folder) as url:
        settings = {**SETTINGS, "DATABASE_URL": url, **settings}
        flask(project, environment, settings, "db", "upgrade")
        with Service(project, environment, settings, folder / "log") as service:
            yield service


def flask(
    project: BakedProject, environment: Environment, settings: dict[str, str], *command: str
) -> str:
    """Run a command of the service and return its output."""
    program = (environment.program("flask"), "--app", project.package)
    done = project.run(*program, *command, variables={**environment.variables, **settings})
    return done.stdout.strip()


def documented_rotation(project: BakedProject) -> list[str]:
    """Return the blocks of commands in which docs/authentication.md replaces a key."""
    section = project.text("docs/authentication.md").partition("### Replace a key\n")[2]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[:2]


def shell(project: BakedProject, commands: str, variables: dict[str, str]) -> str:
    """Run commands in the project and return their output."""
    return project.run("sh", "-ec", commands, variables=variables).stdout.strip()


def assert_only_prefixes_are_logged(log: Path, *keys: str) -> None:
    """Check that the lines of requests name each key by its prefix, and that no line holds one."""
    text = log.read_text(encoding="utf-8")
    callers = {json.loads(line).get("caller") for line in text.splitlines() if '"request"' in line}
    assert callers == {None, *(key.partition(".")[0] for key in keys)}
    assert not any(key.partition(".")[2] in text for key in keys)


def bearer(token: str) -> dict[str, str]:
    """Return the header with a token."""
    return {"Authorization": f"Bearer {token}"}


def assert_only_the_api_is_guarded(service: Service) -> None:
    """Check that without a credential only paths under `/api` are rejected."""
    for path in ("/livez", "/readyz", "/docs", "/openapi.json"):
        assert service.call("GET", path).status == 200
    for method, path in (("GET", PATH), ("POST", PATH), ("GET", "/api/v1/nothing")):
        rejected = service.call(method, path, ROW if method == "POST" else None)
        assert rejected.is_problem(401), path
        assert rejected.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mariadb", "mysql"])
def test_an_api_key_is_created_used_and_revoked(
    bake: Bake, environment: Environment, tmp_path: Path, proved: Proved, engine: str
) -> None:
    project = bake(auth="api_key", database=engine)
    production = {"ENVIRONMENT": "production"}
    with running(project, environment, tmp_path, **production) as service:
        assert_only_the_api_is_guarded(service)

        def keys(*command: str) -> str:
            return flask(project, environment, dict(service.settings), "keys", *command)

        reader = keys("create", "--owner", "reader", "--scope", "items:read")
        writer = keys("create", "--owner", "writer", "--scope", "items:write", "--days", "1")
        assert service.call("GET", PATH, headers=bearer(reader)).status == 200
        assert service.call("POST", PATH, ROW, bearer(reader)).is_problem(403)
        assert service.call("POST", PATH, ROW, bearer(writer)).status == 201
        listed = keys("list")
        assert listed.count("active") == 2
        assert f"last used {time.strftime('%Y-', time.gmtime())}" in listed
        assert not any(key.partition(".")[2] in listed for key in (reader, writer))

        again = {"Idempotency-Key": "once"}
        row = {"name": "The second one"}
        created = service.call("POST", PATH, row, bearer(writer) | again)
        assert created.status == 201
        rotate, revoke = documented_rotation(project)
        variables = {**environment.variables, **service.settings, "OLD": writer}
        new = shell(project, f"{rotate}\necho $NEW", variables)
        assert service.call("GET", PATH, headers=bearer(writer)).is_problem(403)
        assert keys("list").count("  writer") == 2
        shell(project, revoke, variables)
        assert service.call("POST", PATH, row, bearer(writer) | again).is_problem(401)
        repeated = service.call("POST", PATH, row, bearer(new) | again)
        assert (repeated.status, repeated.json["id"]) == (201, created.json["id"])

        keys("revoke", reader)
        assert service.call("GET", PATH, headers=bearer(reader)).is_problem(401)
        assert service.call("GET", PATH, headers=bearer(new)).is_problem(403)
        service.stop()
        service.start()
        assert service.call("GET", PATH, headers=bearer(reader)).is_problem(401)
    assert_only_prefixes_are_logged(tmp_path / "log", reader, writer, new)
    proved("authentication", variant=f"auth=api_key,database={engine}")


def test_tokens_of_the_provider_are_accepted_and_others_rejected(
    bake: Bake, environment: Environment, tmp_path: Path, proved: Proved
) -> None:
    project = bake(auth="oidc", database="sqlite")
    provider = Provider(project, environment)
    try:
        settings = {
            # Not production, where the URL of the provider has to begin with https://.
            "ENVIRONMENT": "development",
            "OIDC_ISSUER": provider.issuer,
            "OIDC_AUDIENCE": "the-tests",
            # Each worker caches the keys that it has fetched.
            "WORKERS": "1",
        }
        with running(project, environment, tmp_path, **settings) as service:
            assert_only_the_api_is_guarded(service)
            good = provider.token(scope="openid items:read items:write")
            created = service.call("POST", PATH, ROW, bearer(good))
            assert created.status == 201
            assert service.call("GET", created.headers["Location"], headers=bearer(good)).json

            for claims in (
                {"exp": int(time.time()) - 60},
                {"nbf": int(time.time()) + 600},
                {"aud": "another"},
                {"iss": "https://evil.example"},
                {"sub": None},
                {"key_id": "unknown"},
                {"algorithm": "RS512"},
            ):
                bad = provider.token(**{"scope": "items:read", **claims})
                assert service.call("GET", PATH, headers=bearer(bad)).is_problem(401), claims
            narrow = provider.token(scope="items:read")
            assert service.call("POST", PATH, ROW, bearer(narrow)).is_problem(403)

            unknown = provider.token(key_id="second", scope="items:read")
            provider.stop()
            assert service.call("GET", PATH, headers=bearer(good)).status == 200
            time.sleep(10)  # BETWEEN_FETCHES_SECONDS
            assert service.call("GET", PATH, headers=bearer(unknown)).is_problem(503)
            assert service.call("GET", PATH, headers=bearer(good)).status == 200
    finally:
        provider.stop()
    proved("authentication", variant="auth=oidc,database=sqlite")


def test_production_requires_https_for_the_provider(
    bake: Bake, environment: Environment, tmp_path: Path
) -> None:
    project = bake(auth="oidc", database="sqlite")
    settings = {"ENVIRONMENT": "production", "DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}
    command = (environment.program("flask"), "--app", project.package, "db", "upgrade")
    variables = {**environment.variables, **SETTINGS, **settings}
    done = project.run(*command, status=None, variables=variables)
    assert done.returncode != 0
    assert "OIDC_ISSUER: should be the address of your provider, with https://" in done.stderr
