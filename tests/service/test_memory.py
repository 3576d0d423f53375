"""The memory of workers under hostile bodies, and equal idempotency keys, on each engine."""

import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from tests.harness.baked import BakedProject
from tests.harness.report import Proved
from tests.harness.servers import Service
from tests.harness.variants import Variant

pytestmark = [pytest.mark.slow, pytest.mark.one_for_each_engine, pytest.mark.open_to_all]

MAX_GROWTH = 1.5
ROUNDS = 4
CALLERS = 16
MAX_RESPONSE = 64 * 1024
MIB = 1024 * 1024

# As long as a body may be: what takes the most memory for its length, and what nests.
HOSTILE = (
    "{" + ",".join(f'"{number}":1' for number in range(MIB // 11)) + "}",
    '{"' + "n" * (MIB - 1000) + '": 1}',
    '{"name": "' + "x" * (MIB - 1000) + '"}',
    "[" * (MIB // 3) + "]" * (MIB // 3),
    '{"a":' * (MIB // 7) + "1" + "}" * (MIB // 7),
    '{"name": [' + ",".join(["1"] * (MIB // 3)) + "]}",
    '{"name": ' + "9" * (MIB - 1000) + "}",
    '{"name": "' + "\\u0041" * (MIB // 7) + '"}',
)


@pytest.fixture
def path(service: Service) -> str:
    """The path of the resource."""
    return f"/api/v1/{service.project.answers['resource_plural']}"


def allocator_of_the_image(project: BakedProject) -> dict[str, str]:
    """Return the variables by which the image sets up the allocation of memory."""
    found = dict(re.findall(r"\b(MALLOC_\w+)=(\d+)", project.text("Dockerfile")))
    assert found
    return found


def workers_of(service: Service) -> list[int]:
    """Return the workers' processes."""
    assert service.process is not None
    master = service.process.pid
    lists = [each.read_text() for each in Path("/proc").glob(f"{master}/task/*/children")]
    return [int(word) for words in lists for word in words.split()]


def resident(pid: int) -> int:
    """Return the memory of a process in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def resident_while(service: Service, path: str, callers: ThreadPoolExecutor) -> dict[int, int]:
    """Send the hostile bodies; return the most memory that each worker had meanwhile."""

    def attack(body: str) -> int:
        response = service.call("POST", path, body)
        assert len(response.body) <= MAX_RESPONSE
        return response.status

    pending = [callers.submit(attack, body) for _ in range(ROUNDS) for body in HOSTILE]
    peak = dict.fromkeys(workers_of(service), 0)
    while not all(each.done() for each in pending):
        peak = {pid: max(peak[pid], resident(pid)) for pid in peak}
        time.sleep(0.002)
    statuses = Counter(each.result() for each in pending)
    assert set(statuses) <= {400, 413, 422}, statuses
    return peak


def test_hostile_bodies_do_not_grow_a_worker(
    service: Service, path: str, variant: Variant, tmp_path: Path, proved: Proved
) -> None:
    """Neither while they are handled nor afterwards, and each answer is small."""
    settings = {**service.settings, **allocator_of_the_image(service.project)}
    with (
        Service(service.project, service.environment, settings, tmp_path / "log") as running,
        ThreadPoolExecutor(CALLERS) as callers,
    ):
        # Idle is after the first requests, of which each worker gets some.
        list(callers.map(lambda _: running.call("GET", path), range(40)))
        list(callers.map(lambda _: running.call("POST", path, {"name": 1}), range(40)))
        idle = {pid: resident(pid) for pid in workers_of(running)}
        peak = resident_while(running, path, callers)
    assert set(peak) == set(idle)
    growth = max(peak[pid] / idle[pid] for pid in idle)
    assert growth <= MAX_GROWTH, f"{growth:.2f} x of {idle}"
    proved("memory", variant=str(variant), growth=round(growth, 2))


def test_equal_keys_on_a_conflict_are_answered_alike(service: Service, path: str) -> None:
    """CASES: MariaDB ended most of them as deadlocks, with 503."""
    body = {"name": f"taken {uuid4()}"}
    assert service.call("POST", path, body).status == 201
    key = {"Idempotency-Key": str(uuid4())}

    with ThreadPoolExecutor(50) as callers:
        responses = list(callers.map(lambda _: service.call("POST", path, body, key), range(50)))

    assert Counter(response.status for response in responses) == {409: 50}
