"""Tells another service of events, at the URL of its webhook."""

import json
from urllib.request import Request, urlopen

from pydantic import BaseModel

from ..base_settings import current_settings

TIMEOUT_SECONDS = 10


def send_to_webhook(event: str, data: BaseModel) -> None:
    """POST an event as JSON to `WEBHOOK_URL`; do nothing if that is not set.

    Call it without an open transaction: it takes up to 10 seconds. Raises OSError if the receiver
    cannot be reached, or answers with an error or a redirect that ends in one.
    """
    url = current_settings().webhook_url
    if not url:
        return
    body = json.dumps({"event": event, "data": data.model_dump(mode="json")}).encode()
    request = Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - an HTTP URL
    with urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 - as validated by the settings
        pass
