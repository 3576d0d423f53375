"""The gain of rows instead of entities in a list, with the code of docs/recipes.md."""

import json
import re
import sys
import time

from benchmarks.databases import database_url
from benchmarks.projects import Project, baked
from benchmarks.report import Row, Samples, Table

RUN_SECONDS = 600
TITLE = "Rows instead of entities in a hot list"
ENTITIES = "entities"
ROWS = "rows"
SIZES = (20, 100)
PATH = "/api/v1/items"


def follow(document: str, code: str) -> str:
    """Return the module that the recipe makes of this one. Raises RuntimeError where it fails."""
    [section] = re.findall(rf"^## {TITLE}\n(.*?)(?=^## |\Z)", document, re.MULTILINE | re.DOTALL)
    for diff in re.findall(r"^```diff\n--- [^\n]+\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
        lines = diff.splitlines()
        old, new = (
            "\n".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +")
        )
        if code.count(f"\n{old}\n") != 1:
            raise RuntimeError(f"The recipe does not fit the module:\n{diff}")
        code = code.replace(f"\n{old}\n", f"\n{new}\n")
    return code


def sample(url: str, rounds: int, requests: int) -> Samples:
    """Return the CPU seconds of a page of each size, made in both ways in turn in this process."""
    from my_service import create_app  # noqa: PLC0415
    from my_service.resources.items import routes, routes_with_rows  # noqa: PLC0415
    from my_service.settings import Settings  # noqa: PLC0415

    from benchmarks.http.compare import bodies  # noqa: PLC0415

    settings = Settings(database_url=url, threads=1, log_level="error")
    clients = {
        name: create_app(settings, resources=[module.api]).test_client()
        for name, module in ((ENTITIES, routes), (ROWS, routes_with_rows))
    }
    for body, _ in zip(bodies(), range(max(SIZES) + 1), strict=False):
        clients[ENTITIES].post(PATH, data=body, content_type="application/json")
    samples = Samples()
    for _ in range(rounds):
        for size in SIZES:
            shown = []
            for name, client in clients.items():
                began = time.process_time()
                for _ in range(requests):
                    response = client.get(f"{PATH}?limit={size}")
                samples.add(f"{name}/{size}", (time.process_time() - began) / requests)
                shown.append(response.json["items"])
            if shown[0] != shown[1] or len(shown[0]) != size:
                raise RuntimeError(f"The two ways show other rows: {shown}")
    return samples


def measure(project: Project, url: str, rounds: int, requests: int) -> Samples:
    """Return the samples, taken in a process of the project."""
    arguments = (url, rounds, requests)
    return Samples(project.measured_by("benchmarks.recipes", *arguments, seconds=RUN_SECONDS))


def table(database: str, *, rounds: int = 25, requests: int = 40) -> Table:
    """Return the gain as a table; the figure is the ratio of the minima of all rounds."""
    with baked(database) as project, database_url(project) as url:
        project.flask("db", "upgrade", DATABASE_URL=url)
        routes = project.source / "my_service" / "resources" / "items" / "routes.py"
        document = (project.path / "docs" / "recipes.md").read_text(encoding="utf-8")
        code = follow(document, routes.read_text(encoding="utf-8"))
        routes.with_name("routes_with_rows.py").write_text(code, encoding="utf-8")
        samples = measure(project, url, rounds, requests)
    rows = []
    for size in SIZES:
        floor = samples.least(f"{ENTITIES}/{size}")
        for name in (ENTITIES, ROWS):
            least = samples.least(f"{name}/{size}")
            ratio, details = least / floor, (f"{least * 1e6:.0f} us",)
            rows.append(Row(f"list of {size}: {name}", ratio, None, details))
    return Table(f"Rows instead of entities, {database}", ("CPU",), rows, "CPU / entities")


if __name__ == "__main__":
    address, count, times = sys.argv[1:]
    print(json.dumps(sample(address, int(count), int(times)).of))
