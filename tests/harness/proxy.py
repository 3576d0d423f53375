"""The proxy of a project's compose.yaml: the real Caddy, with the project's Caddyfile."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from .baked import BakedProject, clean_environment
from .servers import HOST, Service, free_port

CADDY = Path(sys.executable).parent / "caddy"

# A reference of compose.yaml to a variable that has a default.
DEFAULTED = re.compile(r"\$\{[A-Z_]+:-(.*)\}")


def compose_environment(project: BakedProject, service: str) -> dict[str, str]:
    """Return the variables that compose.yaml gives a service, those with a default only."""
    [table] = [
        each["environment"]
        for name, each in yaml.safe_load(project.text("compose.yaml"))["services"].items()
        if name == service
    ]
    found = {name: DEFAULTED.fullmatch(str(value)) for name, value in table.items()}
    return {name: match[1] for name, match in found.items() if match}


def adapted(
    project: BakedProject, service_address: str, variables: Mapping[str, str]
) -> dict[str, Any]:
    """Return the configuration that Caddy reads from the Caddyfile with these variables."""
    given = {"SERVICE_ADDRESS": service_address, **compose_environment(project, "proxy")}
    done = subprocess.run(
        [CADDY, "adapt", "--adapter", "caddyfile", "--config", project.path / "Caddyfile"],
        env=clean_environment({**given, **variables}),
        capture_output=True,
        text=True,
        check=True,
    )
    configuration: dict[str, Any] = json.loads(done.stdout)
    return configuration


class Proxy(Service):
    """A running proxy; `call` sends a request through it."""

    configuration: Path

    @property
    def command(self) -> list[str | Path]:
        """The command that starts it."""
        return [CADDY, "run", "--config", self.configuration]


@contextmanager
def proxy(
    service: Service,
    folder: Path,
    *,
    variables: Mapping[str, str] | None = None,
    timeouts: Mapping[str, float] | None = None,
    kind: type[Proxy] = Proxy,
) -> Iterator[Proxy]:
    """Run the project's proxy before a service, on a port of the loopback interface.

    `timeouts` are seconds that replace those of the Caddyfile, for tests that see them end.
    """
    configuration = adapted(service.project, f"{HOST}:{service.port}", variables or {})
    port = free_port()
    [server] = configuration["apps"]["http"]["servers"].values()
    server["listen"] = [f"{HOST}:{port}"]
    server.update({name: round(value * 1e9) for name, value in (timeouts or {}).items()})
    # Nothing of the machine's is used or changed: no port 80, and no list of trusted authorities.
    server["automatic_https"] = {"disable_redirects": True}
    authority = {"local": {"install_trust": False}}
    configuration["apps"]["pki"] = {"certificate_authorities": authority}
    configuration["admin"] = {"disabled": True}
    configuration["storage"] = {"module": "file_system", "root": str(folder / "storage")}
    file = folder / "caddy.json"
    file.write_text(json.dumps(configuration), encoding="utf-8")
    settings = {"HOME": str(folder)}
    running = kind(service.project, service.environment, settings, folder / "proxy.log", port)
    running.configuration = file
    with running:
        yield running
