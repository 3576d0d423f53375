import json
import logging
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.observability.request_ids import current_request_ids
from {{ cookiecutter.__package }}.settings import Settings

from ..support.concurrency import SECONDS

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.mark.parametrize("given", ["a", "A-1_b.c", "x" * 128])
def test_a_well_formed_id_is_kept_and_returned(app: Flask, given: str) -> None:
    response = app.test_client().get("/nowhere", headers={"X-Request-ID": given})

    assert response.headers.getlist("X-Request-ID") == [given]
    assert response.get_json(force=True)["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a/b", "é", "a\tb", "<script>"])
def test_any_other_id_is_replaced(app: Flask, given: str) -> None:
    response = app.test_client().get("/nowhere", headers={"X-Request-ID": given})

    made = response.headers["X-Request-ID"]
    assert made != given
    assert re.fullmatch(r"[0-9a-f-]{36}", made)
    assert response.get_json(force=True)["request_id"] == made


def test_each_request_has_an_id_of_its_own(app: Flask) -> None:
    client = app.test_client()

    ids = {client.get("/livez").headers["X-Request-ID"] for _ in range(10)}

    assert len(ids) == 10


@pytest.mark.parametrize(
    "traceparent",
    [f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00", f"cc-{TRACE}-{PARENT}-01-more"],
)
def test_a_trace_goes_on(app: Flask, traceparent: str) -> None:
    with app.test_request_context(headers={"traceparent": traceparent}):
        assert current_request_ids().trace_id == TRACE


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}",
        f" 00-{TRACE}-{PARENT}-01 x",
        f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01",
    ],
)
def test_a_malformed_trace_is_ignored(app: Flask, traceparent: str) -> None:
    with app.test_request_context(headers={"traceparent": traceparent}):
        made = current_request_ids().trace_id

    assert made != TRACE
    assert re.fullmatch(r"[0-9a-f]{32}", made)


def test_200_requests_at_once_never_mix_their_ids(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    number = 200
    made = create_app(settings)
    together = threading.Barrier(number)

    def meet(name: str) -> str:
        together.wait(SECONDS)
        logging.getLogger("library").warning("in the middle of %s", name)
        return current_request_ids().request_id

    made.add_url_rule("/meet/<name>", view_func=meet)

    def ask(count: int) -> tuple[str, str]:
        headers = {"X-Request-ID": f"id-{count}", "traceparent": f"00-{count + 1:032x}-{PARENT}-01"}
        response = made.test_client().get(f"/meet/{count}", headers=headers)
        return response.text, response.headers["X-Request-ID"]

    with ThreadPoolExecutor(number) as threads:
        found = list(threads.map(ask, range(number)))

    assert found == [(f"id-{count}", f"id-{count}") for count in range(number)]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    seen = sorted(
        (line["event"].split()[-1].rpartition("/")[2], line["request_id"], line["trace_id"])
        for line in lines
        if line["event"] != "request"
    )
    logged = sorted(
        (line["path"].rpartition("/")[2], line["request_id"], line["trace_id"])
        for line in lines
        if line["event"] == "request"
    )
    expected = sorted((str(count), f"id-{count}", f"{count + 1:032x}") for count in range(number))
    assert seen == expected
    assert logged == expected
