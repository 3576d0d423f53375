"""Reads the lists of any resource from their first page to their last."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from flask.testing import FlaskClient

LINK = re.compile(r'<([^>]+)>; rel="next"')


def pages(client: FlaskClient, url: str, /, **query: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield the pages of a list, following their Link headers."""
    following: str | None = f"{url}?{urlencode(query)}"
    while following:
        response = client.get(following)
        assert response.status_code == 200, response.text
        assert response.json is not None
        yield response.json["items"]
        link = LINK.fullmatch(response.headers.get("Link", ""))
        assert (link is None) == (response.json["next"] is None)
        following = link and link[1]


def ids(client: FlaskClient, url: str, /, **query: Any) -> list[str]:
    """Return the ids of all items of a list."""
    return [item["id"] for page in pages(client, url, **query) for item in page]
