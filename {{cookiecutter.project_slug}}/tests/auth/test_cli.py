from collections.abc import Callable

import pytest
import time_machine
from click.testing import Result
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.auth import api_keys, cli
from {{ cookiecutter.__package }}.auth.api_keys import (
    KEY_PATTERN,
    ApiKey,
    create_key,
    state_of,
)
from {{ cookiecutter.__package }}.clock import utc_now

from ..support.api import URL
from ..support.applications import MakeApp
from ..support.leaks import OUT_OF_REACH, put_out_of_reach

RESOURCE = URL.rsplit("/", 1)[1]
READ = f"{RESOURCE}:read"
WRITE = f"{RESOURCE}:write"

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask, session: Session) -> Run:
    """Run a command of the group `keys`."""

    def run(*arguments: str) -> Result:
        session.commit()
        result = app.test_cli_runner().invoke(args=["keys", *arguments])
        session.expire_all()
        return result

    return run


def test_without_the_database_a_command_is_one_sentence(make_app: MakeApp) -> None:
    app = make_app()
    put_out_of_reach(app)

    for arguments in (["list"], ["create", "--owner", "billing", "--scope", READ]):
        done = app.test_cli_runner().invoke(args=["keys", *arguments])

        assert done.exit_code == 1
        assert done.output == OUT_OF_REACH


def test_create_shows_the_key_once(run: Run, session: Session) -> None:
    result = run("create", "--owner", "billing", "--scope", WRITE, "--scope", READ)

    key = result.stdout.strip()
    assert result.exit_code == 0, result.output
    assert KEY_PATTERN.fullmatch(key)
    assert "only now" in result.stderr
    row = session.scalars(select(ApiKey)).one()
    assert (row.owner, row.scopes, row.expires_at) == ("billing", f"{READ} {WRITE}", None)
    assert key.partition(".")[2] not in run("list").output


def test_a_created_key_works_until_it_is_revoked(
    run: Run, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "authenticate", api_keys.authenticate)
    key = run("create", "--owner", "billing", "--scope", READ).stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    assert app.test_client().get(URL, headers=headers).status_code == 200

    result = run("revoke", key)

    assert result.output == f"{key.partition('.')[0]} is revoked.\n"
    assert app.test_client().get(URL, headers=headers).status_code == 401


def test_a_rotated_key_has_its_owner_and_both_work_until_the_old_one_is_revoked(
    run: Run, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "authenticate", api_keys.authenticate)

    def status(key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return app.test_client().get(URL, headers=headers).status_code

    old = run("create", "--owner", "billing", "--scope", READ).stdout.strip()
    rotated = run("rotate", old)
    new = rotated.stdout.strip()

    assert rotated.exit_code == 0, rotated.output
    assert KEY_PATTERN.fullmatch(new)
    assert "only now" in rotated.stderr
    assert [line.rsplit("  ", 1)[1] for line in run("list").output.splitlines()] == ["billing"] * 2
    assert [status(old), status(new)] == [200, 200]
    assert run("revoke", old).exit_code == 0
    assert [status(old), status(new)] == [401, 200]


def test_a_key_can_expire(run: Run, session: Session) -> None:
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False):
        run("create", "--owner", "billing", "--scope", READ, "--days", "30")

        row = session.scalars(select(ApiKey)).one()
        assert row.expires_at is not None
        assert row.expires_at.isoformat() == "2030-01-31T00:00:00+00:00"
        assert state_of(row) == "active"
    with time_machine.travel("2030-01-31T00:00:00Z", tick=False):
        assert state_of(row) == "expired"


def test_keys_are_listed_by_creation_time(run: Run, session: Session) -> None:
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False):
        first = run("create", "--owner", "Zoë's", "--scope", READ, "--days", "1").stdout[:12]
    with time_machine.travel("2030-01-02T00:00:00Z", tick=False):
        second = run("create", "--owner", "other", "--scope", READ, "--scope", WRITE).stdout[:12]
        key = session.scalars(select(ApiKey).where(ApiKey.prefix == second)).one()
        key.last_used_at = utc_now()
        run("revoke", second)
        lines = run("list").output.splitlines()

    never = "never     "
    assert lines == [
        f"{first}  expired  expires 2030-01-02  last used {never}  {READ}  Zoë's",
        f"{second}  revoked  expires {never}  last used 2030-01-02  {READ} {WRITE}  other",
    ]


def test_the_list_is_empty_without_keys(run: Run) -> None:
    assert run("list").output == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing option '--owner'"),
        (["--owner", "x"], "Missing option '--scope'"),
        (["--owner", "", "--scope", READ], "without spaces around them"),
        (["--owner", "x" * 201, "--scope", READ], "without spaces around them"),
        (["--owner", "two\nlines", "--scope", READ], "without spaces around them"),
        (["--owner", " x", "--scope", READ], "without spaces around them"),
        (["--owner", "x", "--scope", READ, "--scope", "x:read"], "No route needs x:read"),
        (["--owner", "x", "--scope", READ, "--days", "0"], "--days"),
        (["--owner", "x", "--scope", READ, "--days", "36501"], "--days"),
    ],
)
def test_invalid_options_are_rejected(
    run: Run, session: Session, arguments: list[str], message: str
) -> None:
    result = run("create", *arguments)

    assert result.exit_code == 2
    assert message in result.output
    assert session.scalars(select(ApiKey)).all() == []


def test_more_scopes_than_a_key_can_hold_are_rejected(
    run: Run, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "MAX_SCOPES_LENGTH", len(READ))
    scopes = ("--scope", READ, "--scope", READ, "--scope", WRITE)

    assert run("create", "--owner", "x", *scopes[:4]).exit_code == 0
    result = run("create", "--owner", "x", *scopes)

    assert result.exit_code == 2
    assert "make several keys" in " ".join(result.output.split())
    assert len(session.scalars(select(ApiKey)).all()) == 1


def test_the_error_for_an_unknown_scope_lists_the_known_ones(run: Run) -> None:
    output = run("create", "--owner", "x", "--scope", "x:read").output

    assert f"the scopes are {READ}, {WRITE}." in " ".join(output.split())


@pytest.mark.parametrize(("command", "done"), [("revoke", "revoked"), ("rotate", "rotated")])
def test_an_unknown_or_revoked_key_cannot_be_revoked_or_rotated(
    run: Run, session: Session, command: str, done: str
) -> None:
    prefix = create_key(session, "billing", [READ])[:12]
    assert run("revoke", prefix).exit_code == 0

    for unknown in (prefix, "key_00000000", "x"):
        result = run(command, unknown)
        assert result.exit_code == 1
        assert result.output == f"Error: No key {unknown} can be {done}; see `keys list`.\n"
