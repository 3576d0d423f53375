from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from time_machine import TimeMachineFixture

from ..support.api import ANY, URL, create
from ..support.applications import MakeApp
from .support.background import jobs_in, run_all, take_due

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
TOMORROW = "2030-01-02T12:00:00Z"
DAY = timedelta(days=1)


@pytest.fixture
def client(make_app: MakeApp, time_machine: TimeMachineFixture) -> FlaskClient:
    """A client of an application with real commits, at noon."""
    time_machine.move_to(NOON, tick=False)
    return make_app().test_client()


def state_of(client: FlaskClient) -> tuple[str, int]:
    """The status and version of the only row."""
    [row] = client.get(URL).json["items"]  # type: ignore[index]
    return row["status"], row["version"]


def test_a_draft_becomes_active_when_it_is_available(
    client: FlaskClient, time_machine: TimeMachineFixture
) -> None:
    create(client, available_at=TOMORROW)
    assert take_due(client.application) == []
    time_machine.shift(DAY)
    assert state_of(client) == ("draft", 1)

    assert run_all(client.application) == ["SUCCESS"]

    assert state_of(client) == ("active", 2)
    [row] = client.get(URL).json["items"]  # type: ignore[index]
    assert row["updated_at"] == TOMORROW


def test_a_draft_that_is_available_becomes_active_soon(client: FlaskClient) -> None:
    create(client, available_at="2020-01-01T00:00:00Z")

    assert run_all(client.application) == ["SUCCESS"]

    assert state_of(client) == ("active", 2)


@pytest.mark.parametrize("changes", [{}, {"available_at": TOMORROW, "status": "retired"}])
def test_others_ask_for_nothing(
    client: FlaskClient, committed_db: Engine, changes: dict[str, str]
) -> None:
    create(client, **changes)

    assert jobs_in(committed_db) == []


def test_a_draft_that_is_put_off_becomes_active_later(
    client: FlaskClient, committed_db: Engine, time_machine: TimeMachineFixture
) -> None:
    path = create(client, available_at=TOMORROW).headers["Location"]
    client.patch(path, json={"available_at": "2030-01-03T12:00:00Z"}, headers=ANY)
    time_machine.shift(DAY)
    first, second = (job.due_at for job in jobs_in(committed_db))
    assert second - first == DAY

    assert run_all(client.application) == ["SUCCESS"] * 2
    assert state_of(client) == ("draft", 2)


def test_what_is_no_draft_any_more_stays_as_it_is(
    client: FlaskClient, time_machine: TimeMachineFixture
) -> None:
    path = create(client, available_at=TOMORROW).headers["Location"]
    client.patch(path, json={"status": "retired"}, headers=ANY)
    time_machine.shift(DAY)

    assert run_all(client.application) == ["SUCCESS"]

    assert state_of(client) == ("retired", 2)


def test_what_becomes_a_draft_again_becomes_active(client: FlaskClient) -> None:
    path = create(client, available_at="2020-01-01T00:00:00Z", status="retired").headers["Location"]
    client.patch(path, json={"status": "draft"}, headers=ANY)

    assert run_all(client.application) == ["SUCCESS"]

    assert state_of(client) == ("active", 3)


def test_a_change_of_its_name_asks_for_nothing(client: FlaskClient, committed_db: Engine) -> None:
    path = create(client, available_at=TOMORROW).headers["Location"]
    client.patch(path, json={"name": "another"}, headers=ANY)

    assert len(jobs_in(committed_db)) == 1


def test_what_is_deleted_stays_deleted(
    client: FlaskClient, committed_db: Engine, time_machine: TimeMachineFixture
) -> None:
    path = create(client, available_at=TOMORROW).headers["Location"]
    client.delete(path, headers=ANY)
    time_machine.shift(DAY)

    assert run_all(client.application) == ["SUCCESS"]

    assert jobs_in(committed_db) == []
    assert client.get(URL).json == {"items": [], "next": None}
