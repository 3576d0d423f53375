"""Writes docs/images/docs-page.png: generates a service, opens `/docs` and tries an operation.

    python tools/make_screenshot.py [--at http://127.0.0.1:8000] [picture]

With `--at` it uses a running service; without, this Python needs the libraries of the service, too.
Needs Chromium; the variable CHROMIUM names another program. Exits with an error if the page reports
one, sends a request to another host, or the operation does not return 201.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from cookiecutter.main import cookiecutter
from playwright.sync_api import ConsoleMessage, Page, sync_playwright

TEMPLATE = Path(__file__).resolve().parents[1]
PICTURE = TEMPLATE / "docs" / "images" / "docs-page.png"
SIZE = (1000, 1640)
PATIENCE_SECONDS = 20


def free_port() -> int:
    """Return an unused port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_service(folder: Path) -> Iterator[str]:
    """Generate a service on SQLite in `folder` and yield its address while it runs."""
    answers = {
        "project_name": "Library",
        "description": "Which books there are, and who wrote them.",
        "resource": "book",
        "setup": "no",
    }
    project = Path(
        cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder))
    )
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(project / "src"),
        "DATABASE_URL": f"sqlite:///{project / 'library.db'}",
        "BIND": f"127.0.0.1:{port}",
        "METRICS_PORT": "0",
    }
    python = [sys.executable, "-m"]
    migrate = [*python, "flask", "--app", "library", "db", "upgrade"]
    subprocess.run(migrate, cwd=project, env=environment, check=True)
    server = subprocess.Popen([*python, "gunicorn"], cwd=project, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/readyz", server)
        yield address
    finally:
        server.terminate()
        server.wait(PATIENCE_SECONDS)


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until `address` responds with 200."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urlopen(address):  # noqa: S310
                return
        except URLError:
            if server.poll() is not None or time.monotonic() > end:
                sys.exit("The service did not start.")
            time.sleep(0.1)


def watch(page: Page, address: str) -> list[str]:
    """Return a list that collects the errors of the page."""
    errors: list[str] = []
    host = urlsplit(address).netloc

    def read_console(line: ConsoleMessage) -> None:
        if line.type in {"error", "warning"}:
            errors.append(line.text)

    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", lambda request: errors.append(f"{request.url}: {request.failure}"))

    def check_host(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != host:
            errors.append(f"request to another host: {url}")

    page.on("console", read_console)
    page.on("request", lambda request: check_host(request.url))
    return errors


def try_create(page: Page, address: str) -> None:
    """Open the page and create a row with the suggested body."""
    page.goto(f"{address}/")
    operation = page.locator(".opblock-post").first
    operation.locator("button.opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    response = operation.locator(".live-responses-table tbody")
    response.wait_for()
    status = response.locator(".response-col_status").first.inner_text().split()[0]
    if status != str(HTTPStatus.CREATED.value):
        sys.exit(f"The operation returned {status}: {response.inner_text()}")


def look(address: str, picture: Path) -> list[str]:
    """Use the page of the service at `address`, save the picture, and return the errors."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is not installed; on Debian `apt-get install chromium` does it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        errors = watch(page, address)
        try_create(page, address)
        picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=picture)
        browser.close()
    return errors


def main() -> None:
    """Save the picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", metavar="ADDRESS")
    parser.add_argument("picture", nargs="?", type=Path, default=PICTURE)
    arguments = parser.parse_args()
    if arguments.at:
        errors = look(arguments.at, arguments.picture)
    else:
        with (
            tempfile.TemporaryDirectory() as folder,
            running_service(Path(folder)) as address,
        ):
            errors = look(address, arguments.picture)
    if errors:
        sys.exit("\n".join(["The page has errors:", *errors]))
    print(f"{arguments.picture} is written.")


if __name__ == "__main__":
    main()
