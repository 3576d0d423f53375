"""Notifies another service of events, at the URL of its webhook.

Requests are signed as https://www.standardwebhooks.com specifies.
"""

import hmac
import json
import time
from base64 import b64decode, b64encode
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pydantic import BaseModel

from ..base_settings import SECRET_PREFIX, current_settings

TIMEOUT_SECONDS = 10


class NoRedirects(HTTPRedirectHandler):
    """Follows no redirect: the next request would be a GET without the event."""

    def redirect_request(self, *_: Any) -> None:
        """Return no further request, so that the redirect is an error."""


def send_to_webhook(event: str, subject: str, data: BaseModel) -> None:
    """POST an event as JSON to `WEBHOOK_URL`; do nothing if that is not set.

    Event and `subject` are the id of the message, the same each time: the receiver can tell that it
    has it already. With `WEBHOOK_SECRET` it can tell that the message is from here. Call this
    without an open transaction: it takes up to 10 seconds. Raises OSError if the receiver cannot be
    reached, or responds with an error or a redirect.
    """
    settings = current_settings()
    if not settings.webhook_url:
        return
    body = json.dumps({"event": event, "data": data.model_dump(mode="json")}).encode()
    ids = {"webhook-id": f"{event}-{subject}", "webhook-timestamp": str(int(time.time()))}
    headers = {"Content-Type": "application/json", **ids}
    if secret := settings.webhook_secret.get_secret_value():
        signed = ".".join(ids.values()).encode() + b"." + body
        digest = hmac.digest(b64decode(secret.removeprefix(SECRET_PREFIX)), signed, "sha256")
        headers["webhook-signature"] = f"v1,{b64encode(digest).decode()}"
    request = Request(settings.webhook_url, body, headers)  # noqa: S310 - an HTTP URL
    try:
        with build_opener(NoRedirects).open(request, timeout=TIMEOUT_SECONDS):
            pass
    except HTTPError as error:
        with error:  # it holds the connection
            raise
