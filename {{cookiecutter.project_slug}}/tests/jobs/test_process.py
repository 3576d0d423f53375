import json
import os
import signal
import socket
import sys
import urllib.error
from contextlib import suppress
from urllib.request import urlopen

import pytest
from flask import Flask

from {{ cookiecutter.__package }}.jobs import outbox
from {{ cookiecutter.__package }}.jobs import process as jobs_process
from {{ cookiecutter.__package }}.jobs.outbox import Message
from {{ cookiecutter.__package }}.jobs.process import (
    SECONDS_AFTER_A_FAULT,
    SECONDS_BETWEEN_LOOKS,
    look,
    metrics_served,
    node_name,
    work,
    worker,
    worker_command,
)
from {{ cookiecutter.__package }}.observability import logs
from {{ cookiecutter.__package }}.settings import Settings

from ..support.applications import MakeApp
from ..support.concurrency import wait_until
from .support.background import ask, idle

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True);"
    " time.sleep(60)",
]


@pytest.fixture
def quiet(settings: Settings) -> Settings:
    """Settings without a port for metrics."""
    logs.configure(settings)
    return settings.model_copy(update={"metrics_port": 0})


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


# Looks at what is due


def test_a_look_hands_over_what_is_due(make_app: MakeApp, settings: Settings) -> None:
    app = make_app()
    job_id = ask(app, idle)
    taken: list[Message] = []

    assert look(app, taken.append, settings) == SECONDS_BETWEEN_LOOKS

    assert [message.job_id for message in taken] == [job_id]


def test_where_there_is_more_the_next_look_is_at_once(
    make_app: MakeApp, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (outbox, jobs_process):
        monkeypatch.setattr(module, "BATCH", 1)
    app = make_app()
    for _ in range(2):
        ask(app, idle)

    pauses = [look(app, lambda _: None, settings) for _ in range(3)]

    assert pauses == [0, 0, SECONDS_BETWEEN_LOOKS]


def test_a_broker_that_is_away_is_asked_again_later(
    make_app: MakeApp, quiet: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    def publish(_message: Message) -> None:
        raise ConnectionError("of redis://:hunter2@host")

    app = make_app()
    ask(app, idle)
    capsys.readouterr()

    assert look(app, publish, quiet) == SECONDS_AFTER_A_FAULT

    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "Jobs wait, they cannot be handed over: ConnectionError"


# The worker and its end


def test_what_is_told_to_stop_lets_its_worker_stop(
    app: Flask, quiet: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def tell(*_: object) -> float:
        looks.append(0.0)
        if len(looks) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return 0.0

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(jobs_process, "look", tell)

    assert work(app, quiet, SLEEP) == -signal.SIGTERM

    assert len(looks) == 3
    assert signal.getsignal(signal.SIGTERM) is before


def test_where_the_worker_ends_by_itself_all_ends(
    app: Flask, quiet: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_process, "look", lambda *_: 0.01)

    assert work(app, quiet, [sys.executable, "-c", "raise SystemExit(3)"]) == 3


def test_a_worker_that_does_not_stop_is_killed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jobs_process, "SECONDS_TO_CLEAN_UP", 0)
    short = settings.model_copy(update={"job_seconds": 0.1})
    with worker(short, DEAF) as process:
        wait_until(lambda: "1" in capfd.readouterr().out)

    assert process.returncode == -signal.SIGKILL


def test_the_worker_has_as_many_processes_as_the_service(settings: Settings) -> None:
    command = worker_command(settings.model_copy(update={"workers": 7}))

    assert command[command.index("--concurrency") + 1] == "7"
    assert node_name() in command


# Metrics


def read_metrics(port: int) -> dict[str, float]:
    """The metrics that are served, by their names."""
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.split() for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_the_backlog_is_served(make_app: MakeApp, settings: Settings) -> None:
    app = make_app()
    ask(app, idle)
    port = free_port()
    with metrics_served(app, settings.model_copy(update={"metrics_port": port})):
        found = read_metrics(port)

    assert found.keys() == {"jobs_waiting", "jobs_given_up", "jobs_lag_seconds"}
    assert (found["jobs_waiting"], found["jobs_given_up"]) == (1, 0)
    with suppress(urllib.error.URLError):
        pytest.fail(f"still served: {read_metrics(port)}")


def test_no_port_serves_no_metrics(app: Flask, quiet: Settings) -> None:
    with metrics_served(app, quiet):
        pass


def test_a_port_that_is_taken_is_named(app: Flask, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        changed = settings.model_copy(update={"metrics_port": port})
        with (
            pytest.raises(RuntimeError, match=rf"127\.0\.0\.1:{port} .*set METRICS_PORT"),
            metrics_served(app, changed),
        ):
            pytest.fail("it is taken")
