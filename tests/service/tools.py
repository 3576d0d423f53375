"""Public tools that read a service's API document: schemathesis and a generator of clients."""

import re
import subprocess
import sys
from pathlib import Path

from tests.harness.baked import clean_environment
from tests.harness.servers import HOST, Service

PROGRAMS = Path(sys.executable).parent

# Responses to generated requests that fit the document: they name rows that do not exist or an
# outdated state, or a required header is missing.
FUZZ_SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "304", "404", "409", "412", "422"]
missing_required_header.expected-statuses = ["422", "428"]
"""


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    """Run a tool and return its output. Raises AssertionError with the output if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=clean_environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-3000:]
    return done.stdout


def fuzz(service: Service, folder: Path, examples: int) -> tuple[int, int]:
    """Send generated requests, about `examples` for each operation.

    Return how many were generated and how many passed. Raises AssertionError for any that failed.
    """
    (folder / "schemathesis.toml").write_text(FUZZ_SETTINGS)
    said = run(
        PROGRAMS / "schemathesis",
        *("run", f"http://{HOST}:{service.port}/openapi.json"),
        *("--checks", "all", "--max-examples", str(examples), "--seed", "1"),
        *("--generation-database", "none", "--suppress-health-check", "all", "--no-color"),
        *("--request-timeout", "30"),
        folder=folder,
    )
    cases = re.search(r"(\d+) generated, (\d+) passed", said)
    assert cases is not None, said
    return int(cases[1]), int(cases[2])


def generate_client(service: Service, folder: Path) -> None:
    """Write the package `client`, which knows nothing of the service but its document.

    Raises AssertionError if an operation or a schema is left out of it.
    """
    document = folder / "openapi.json"
    document.write_bytes(service.call("GET", "/openapi.json").body)
    generate = ("generate", "--path", document, "--meta", "none", "--output-path", "client")
    said = run(PROGRAMS / "openapi-python-client", *generate, folder=folder)
    assert "Unable to" not in said, said
    assert "not be generated" not in said, said
