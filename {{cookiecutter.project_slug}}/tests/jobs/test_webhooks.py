import socket
import time
from urllib.error import HTTPError

import pytest
from flask import Flask
from pydantic import BaseModel, SecretStr, ValidationError

from {{ cookiecutter.__package }}.jobs import webhooks
from {{ cookiecutter.__package }}.jobs.webhooks import send_to_webhook
from {{ cookiecutter.__package }}.settings import Settings

from .support.webhooks import SECRET, Webhook


class Event(BaseModel):
    name: str


def test_event_is_sent_as_json(app: Flask, webhook: Webhook) -> None:
    with app.app_context():
        send_to_webhook("things.created", "7", Event(name="é"))

    assert webhook.received == [{"event": "things.created", "data": {"name": "é"}}]


def test_a_request_has_the_same_id_each_time(app: Flask, webhook: Webhook) -> None:
    with app.app_context():
        for _ in range(2):
            send_to_webhook("things.created", "7", Event(name="x"))

    for headers, _ in webhook.requests:
        assert headers["webhook-id"] == "things.created-7"
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


def test_a_request_is_signed_as_the_libraries_of_receivers_expect(
    app: Flask, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signature was made with the same secret by openssl."""
    monkeypatch.setattr(time, "time", lambda: 1614265330)
    with app.app_context():
        send_to_webhook("things.created", "7", Event(name="x"))

    [(headers, body)] = webhook.requests
    assert body == b'{"event": "things.created", "data": {"name": "x"}}'
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,q3Y0aTC8s4joHigE8OSlvtroOb4RzaAgsOgmbcGQRjc="


def test_a_redirect_is_an_error(app: Flask, webhook: Webhook) -> None:
    """A receiver that has moved would get a GET without the event."""
    webhook.status = 302

    with app.app_context(), pytest.raises(HTTPError, match="302"):
        send_to_webhook("things.created", "7", Event(name="x"))
    assert len(webhook.requests) == 1


@pytest.mark.parametrize(
    "secret", ["a-secret", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all, but long enough"]
)
def test_a_secret_that_receivers_cannot_use_is_rejected(secret: str, settings: Settings) -> None:
    url = settings.database_url
    with pytest.raises(ValidationError, match="24 to 64 random bytes in base64"):
        Settings(database_url=url, webhook_secret=SecretStr(secret))


def test_a_secret_of_the_specification_is_accepted(settings: Settings) -> None:
    secret = SecretStr(SECRET)
    assert Settings(database_url=settings.database_url, webhook_secret=secret)


def test_without_a_secret_nothing_is_signed(
    app: Flask, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = app.extensions["settings"].model_copy(update={"webhook_secret": SecretStr("")})
    monkeypatch.setitem(app.extensions, "settings", settings)
    with app.app_context():
        send_to_webhook("things.created", "7", Event(name="x"))

    [(headers, _)] = webhook.requests
    assert "webhook-signature" not in headers


def test_nothing_is_sent_without_a_url(app: Flask) -> None:
    with app.app_context():
        send_to_webhook("things.created", "7", Event(name="x"))


def test_error_of_the_receiver_is_raised_so_that_the_job_is_retried(
    app: Flask, webhook: Webhook
) -> None:
    webhook.status = 503

    with app.app_context(), pytest.raises(HTTPError) as error:
        send_to_webhook("things.created", "7", Event(name="x"))
    assert error.value.closed, "it would keep its connection until it is garbage"


def test_receiver_that_does_not_answer_is_given_up(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        settings = app.extensions["settings"].model_copy(update={"webhook_url": url})
        monkeypatch.setitem(app.extensions, "settings", settings)

        with app.app_context(), pytest.raises(OSError, match="timed out"):
            send_to_webhook("things.created", "7", Event(name="x"))


@pytest.mark.parametrize("url", ["example.com", "ftp://example.com", "https://", "https://a b"])
def test_other_urls_are_rejected(url: str, settings: Settings) -> None:
    with pytest.raises(ValidationError, match="is not an HTTP URL"):
        Settings(database_url=SecretStr(settings.database_url.get_secret_value()), webhook_url=url)
