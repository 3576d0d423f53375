"""A receiver of webhooks, on this machine."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from pydantic import SecretStr

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Webhook:
    """The requests that the receiver got, and the status of its responses."""

    received: list[Any] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204


@pytest.fixture
def webhook(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """The receiver that the application's `WEBHOOK_URL` names."""
    webhook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            webhook.received.append(json.loads(body))
            headers = {name.lower(): value for name, value in self.headers.items()}
            webhook.requests.append((headers, body))
            self.send_response(webhook.status)
            if webhook.status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/events"
    settings = app.extensions["settings"].model_copy(
        update={"webhook_url": url, "webhook_secret": SecretStr(SECRET)}
    )
    monkeypatch.setitem(app.extensions, "settings", settings)
    yield webhook
    server.shutdown()
    thread.join()
    server.server_close()
