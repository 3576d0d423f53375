import errno
import os
import re
import struct
import time
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.observability import metrics
from {{ cookiecutter.__package }}.settings import Settings

from ..support.applications import MakeApp
from ..support.leaks import engine_of

REQUESTS = "http_request_duration_seconds_count"
IN_USE = "database_connections_in_use"


def count(app: Flask, method: str, route: str, status: int) -> float | None:
    """How many requests with these labels the application has measured."""
    registry: CollectorRegistry = app.extensions["metrics"]
    labels = {"method": method, "route": route, "status": str(status)}
    return registry.get_sample_value(REQUESTS, labels)


def in_use(app: Flask) -> float | None:
    """How many connections are in use."""
    registry: CollectorRegistry = app.extensions["metrics"]
    return registry.get_sample_value(IN_USE)


def test_requests_are_counted_by_rule_and_status(settings: Settings) -> None:
    service = create_app(settings)
    service.add_url_rule("/things/<int:number>", view_func=lambda number: str(number))
    client = service.test_client()

    for path in ("/things/1", "/things/2", "/things/none", "/nowhere"):
        client.get(path)
    client.post("/things/1")

    assert count(service, "GET", "/things/<int:number>", 200) == 2
    assert count(service, "GET", "", 404) == 2
    assert count(service, "POST", "", 405) == 1


def test_callers_cannot_make_labels(settings: Settings) -> None:
    service = create_app(settings)
    client = service.test_client()

    for method in ("BREW", "WHEN"):
        client.open("/livez", method=method)

    assert count(service, "other", "", 405) == 2
    assert count(service, "BREW", "", 405) is None


def test_time_is_measured(settings: Settings) -> None:
    service = create_app(settings)

    began = time.monotonic()
    service.test_client().get("/livez")
    took = time.monotonic() - began

    labels = {"method": "GET", "route": "/livez", "status": "200"}
    registry: CollectorRegistry = service.extensions["metrics"]
    seconds = registry.get_sample_value("http_request_duration_seconds_sum", labels)
    assert seconds is not None
    assert 0 < seconds < took


def test_requests_are_counted_by_times_of_milliseconds_to_seconds(settings: Settings) -> None:
    service = create_app(settings)
    service.test_client().get("/livez")

    exposed = generate_latest(service.extensions["metrics"]).decode()

    bounds = re.findall(r'duration_seconds_bucket\{le="([^"]+)"', exposed)
    assert bounds == [str(bound) for bound in metrics.BUCKETS] + ["+Inf"]


def test_metrics_say_what_they_are(settings: Settings) -> None:
    exposed = generate_latest(create_app(settings).extensions["metrics"]).decode()

    assert (
        "# HELP http_request_duration_seconds Time from the start of a request to its response;"
        " the count is that of requests.\n"
    ) in exposed
    assert (
        "# HELP database_connections_in_use"
        " Connections that are checked out of the pools of all workers.\n"
    ) in exposed


def test_each_application_counts_by_itself(settings: Settings) -> None:
    first, second = create_app(settings), create_app(settings)

    first.test_client().get("/livez")

    assert count(first, "GET", "/livez", 200) == 1
    assert count(second, "GET", "/livez", 200) is None


def test_connections_in_use_are_counted(make_app: MakeApp) -> None:
    service = make_app()

    with service.app_context():
        assert in_use(service) == 0
        db.session().execute(text("SELECT 1"))
        assert in_use(service) == 1

    assert in_use(service) == 0


def test_a_connection_that_cannot_be_made_is_not_counted(make_app: MakeApp) -> None:
    service = make_app()
    with service.app_context():
        db.session().connection().invalidate()

    @event.listens_for(engine_of(service), "do_connect")
    def fail(*_arguments: object) -> None:
        raise OperationalError("connect", None, ConnectionError())

    with service.app_context(), pytest.raises(OperationalError):
        db.session().execute(text("SELECT 1"))

    assert in_use(service) == 0


def test_the_metrics_are_not_on_the_public_port(app: Flask) -> None:
    assert app.test_client().get("/metrics").status_code == 404


def count_as_worker(file: Path, number: int) -> None:
    """Count so many jobs in a worker's file."""
    counted = MmapedDict(str(file))  # type: ignore[no-untyped-call]
    counted.write_value(mmap_key("done", "done_total", [], [], "Jobs."), number, 0)  # type: ignore[no-untyped-call]
    counted.close()  # type: ignore[no-untyped-call]


def read_files(folder: Path) -> dict[str, float]:
    """Return the metrics that the workers counted, by their names."""
    metrics_ = metrics.WorkerMetricsCollector(folder).collect()
    return {sample.name: sample.value for metric in metrics_ for sample in metric.samples}


def test_the_metrics_of_all_workers_are_added(tmp_path: Path) -> None:
    for worker in (7, 8):
        count_as_worker(tmp_path / f"counter_{worker}.db", worker)

    assert read_files(tmp_path) == {"done_total": 15}


def test_the_files_of_workers_that_are_gone_become_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their counts stay: also over a second look, and after further restarts."""
    running = {9}
    monkeypatch.setattr(metrics, "_is_running", running.__contains__)
    for worker in (7, 8, 9):
        count_as_worker(tmp_path / f"counter_{worker}.db", worker)

    assert [read_files(tmp_path), read_files(tmp_path)] == [{"done_total": 24}] * 2
    assert sorted(os.listdir(tmp_path)) == ["counter_9.db", "counter_gone.db"]
    running.clear()
    assert read_files(tmp_path) == {"done_total": 24}
    assert os.listdir(tmp_path) == ["counter_gone.db"]


def test_the_greatest_value_of_workers_that_are_gone_is_kept(tmp_path: Path) -> None:
    gone = 2**22 + 1  # above the largest id of a process
    count_as_worker(tmp_path / f"gauge_max_{gone}.db", 5)
    count_as_worker(tmp_path / f"gauge_max_{gone + 1}.db", 3)

    assert read_files(tmp_path) == {"done_total": 5}
    assert os.listdir(tmp_path) == ["gauge_max_gone.db"]


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "counter_1").write_text("mine")

    read_files(tmp_path)

    assert sorted(os.listdir(tmp_path)) == ["counter_1", "notes.txt"]


def test_a_folder_of_metrics_that_is_gone_costs_no_response(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    service = create_app(settings)
    monkeypatch.setattr(Histogram, "labels", fail)
    client = service.test_client()
    assert [client.get("/livez").status_code for _ in range(3)] == [200] * 3
    assert [client.open("/livez", method=f"BREW{n}").status_code for n in range(3)] == [405] * 3
    assert caplog.messages.count("Requests are not measured: No such file or directory") == 2

    monkeypatch.setattr(metrics, "Gauge", fail)
    monkeypatch.setattr(metrics, "Counter", fail)
    assert create_app(settings).test_client().get("/livez").status_code == 200
    assert caplog.messages[-1].startswith("Nothing is measured")


def test_a_file_of_metrics_takes_its_space_before_it_is_mapped(tmp_path: Path) -> None:
    """Or a worker is killed by SIGBUS where a file system is full."""
    file = tmp_path / "counter_7.db"
    counted = metrics.AllocatedFile(str(file))
    sizes = set()
    for number in range(2000):
        counted.write_value(f"{'k' * 90}{number}", 1, 0)  # type: ignore[no-untyped-call]
        state = file.stat()
        assert state.st_blocks * 512 >= state.st_size
        sizes.add(state.st_size)
    counted.close()  # type: ignore[no-untyped-call]

    assert sizes == {2**16, 2**17, 2**18}
    again = metrics.AllocatedFile(str(file), read_mode=True)
    assert len(list(again.read_all_values())) == 2000  # type: ignore[no-untyped-call]
    again.close()  # type: ignore[no-untyped-call]


def test_a_full_file_system_costs_new_counters_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_half(descriptor: int, data: bytes, offset: int) -> int:
        return write(descriptor, data[: len(data) // 2], offset)

    write = os.pwrite
    file = tmp_path / "counter_7.db"
    counted = metrics.AllocatedFile(str(file))
    counted.write_value("known", 1, 0)  # type: ignore[no-untyped-call]
    monkeypatch.setattr(os, "pwrite", write_half)

    for full in (
        lambda: counted.write_value("k" * 2**16, 1, 0),  # type: ignore[no-untyped-call]
        lambda: metrics.AllocatedFile(str(tmp_path / "counter_8.db")),
    ):
        with pytest.raises(OSError, match="No space left") as caught:
            full()
        assert caught.value.errno == errno.ENOSPC
    counted.write_value("known", 2, 0)  # type: ignore[no-untyped-call]

    assert [value for _, value, *_ in counted.read_all_values()] == [2]  # type: ignore[no-untyped-call]
    counted.close()  # type: ignore[no-untyped-call]
    assert [path.stat().st_size for path in sorted(tmp_path.iterdir())] == [2**16, 0]


def test_a_worker_that_has_just_begun_to_count_hides_no_other(tmp_path: Path) -> None:
    count_as_worker(tmp_path / "counter_7.db", 7)
    (tmp_path / "counter_8.db").touch()
    (tmp_path / "counter_9.db").symlink_to(tmp_path / "gone")

    [metric] = metrics.WorkerMetricsCollector(tmp_path).collect()

    assert [sample.value for sample in metric.samples] == [7]


def test_the_library_still_fails_at_an_empty_file(tmp_path: Path) -> None:
    """When this fails, `MultiProcessCollector` can take the place of `WorkerMetricsCollector`."""
    empty = tmp_path / "counter_8.db"
    empty.touch()

    with pytest.raises(struct.error):
        MultiProcessCollector.merge([str(empty)])  # type: ignore[no-untyped-call]


def test_a_worker_that_is_gone_uses_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for name in ("gauge_livesum_7.db", "gauge_livesum_8.db", "histogram_7.db"):
        (tmp_path / name).touch()

    metrics.mark_worker_dead(7)

    assert sorted(os.listdir(tmp_path)) == ["gauge_livesum_8.db", "histogram_7.db"]


def test_files_that_cannot_be_compacted_are_served_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(metrics, "_is_running", set[int]().__contains__)
    monkeypatch.setattr(metrics, "_write_values", fail)
    for worker in (7, 8):
        count_as_worker(tmp_path / f"counter_{worker}.db", worker)

    assert read_files(tmp_path) == {"done_total": 15}
    assert caplog.messages == ["Files of metrics cannot be compacted"]
    assert sorted(os.listdir(tmp_path)) == ["counter_7.db", "counter_8.db"]


def test_a_process_of_another_account_is_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_pid: int, _signal: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    count_as_worker(tmp_path / "counter_7.db", 7)
    monkeypatch.setattr(os, "kill", fail)

    assert read_files(tmp_path) == {"done_total": 7}
    assert os.listdir(tmp_path) == ["counter_7.db"]
