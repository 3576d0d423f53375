import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from ...support.api import URL, create, errors_of
from ...support.probe import Probe, ProbeFactory, ProbeStatus
from ...support.problems import problem
from ...support.queries import Queries

NO_CURSOR = "is not a cursor of this service, or belongs to another sort or filter"
LINK = re.compile(r'<([^>]+)>; rel="next"')
NAMES = ["b", "a", "B", "A", "ä", "Ä", "a ", "é", "e", "É", "ß", "ss", "😀", "😀x", "z", "a"]


def pages(client: FlaskClient, **query: Any) -> Iterator[list[dict[str, Any]]]:
    """The pages of a list from the first to the last, by their Link headers."""
    url: str | None = f"{URL}?{urlencode(query)}"
    while url:
        response = client.get(url)
        assert response.status_code == 200, response.text
        assert response.json is not None
        yield response.json["items"]
        link = LINK.fullmatch(response.headers.get("Link", ""))
        assert (link is None) == (response.json["next"] is None)
        url = link and link[1]


def ids(client: FlaskClient, **query: Any) -> list[str]:
    return [item["id"] for page in pages(client, **query) for item in page]


def test_an_empty_list(client: FlaskClient) -> None:
    response = client.get(URL)

    assert response.json == {"items": [], "next": None}
    assert "Link" not in response.headers


def test_an_item_is_shown_as_it_is_read(client: FlaskClient) -> None:
    created = create(client, available_at="2030-01-31T12:00:00.5Z")

    response = client.get(URL)

    assert response.json == {"items": [created.json], "next": None}


def test_the_oldest_come_first_and_twenty_at_a_time(client: FlaskClient) -> None:
    rows = ProbeFactory.create_batch(25)

    first, second = pages(client)

    assert [item["id"] for item in first + second] == [str(row.id) for row in rows]
    assert (len(first), len(second)) == (20, 5)


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (100, [3])])
def test_pages_are_as_long_as_asked_for(client: FlaskClient, limit: int, sizes: list[int]) -> None:
    ProbeFactory.create_batch(3)

    assert [len(page) for page in pages(client, limit=limit)] == sizes


@pytest.mark.parametrize("limit", [0, -1, 101, 10**30, "", "x", "1.5", "\udcff", "%", "1,2"])
def test_other_lengths_are_rejected(client: FlaskClient, limit: int | str) -> None:
    query = urlencode({"limit": limit}, errors="surrogateescape")

    document = problem(client.get(f"{URL}?{query}"), 422)

    assert errors_of(document).keys() == {"limit"}


def test_every_page_is_one_statement(client: FlaskClient, queries: Queries) -> None:
    parent = ProbeFactory.create()
    ProbeFactory.create_batch(30, parent_id=parent.id)

    with queries(at_most=4):
        assert len(list(pages(client, limit=10))) == 4


@pytest.mark.parametrize("sort", ["created_at", "created_at_desc", "name", "name_desc"])
def test_every_order_shows_each_row_once(client: FlaskClient, sort: str) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    rows = [
        ProbeFactory.create(name=name, created_at=start + timedelta(microseconds=number % 5))
        for number, name in enumerate(NAMES)
    ]

    in_one = ids(client, sort=sort, limit=100)
    in_many = ids(client, sort=sort, limit=2)

    assert in_many == in_one
    assert sorted(in_one) == sorted(str(row.id) for row in rows)
    if sort.startswith("created_at"):
        by_time = sorted(rows, key=lambda row: (row.created_at, row.id))
        expected = [str(row.id) for row in by_time]
        assert in_one == (expected[::-1] if sort.endswith("_desc") else expected)


@pytest.mark.parametrize("sort", ["created_at", "name"])
def test_the_other_direction_is_the_reverse(client: FlaskClient, sort: str) -> None:
    for name in NAMES:
        ProbeFactory.create(name=name)

    assert ids(client, sort=sort) == ids(client, sort=f"{sort}_desc")[::-1]


def test_rows_that_come_and_go_shift_nothing(client: FlaskClient, session: Session) -> None:
    rows = [ProbeFactory.create(name=f"{number:02}") for number in range(10, 20)]
    expected = [row.name for row in rows]
    seen = []

    for page in pages(client, sort="name", limit=3):
        seen += [item["name"] for item in page]
        ProbeFactory.create(name=f"00 {len(seen)}")  # before all that was seen
        last = session.query(Probe).filter_by(name=seen[-1]).one()
        session.delete(last)  # the row that the cursor names

    assert seen == expected


@pytest.mark.parametrize("name", ["😀" * 200, "\x01" * 200, '"' * 200, "é" * 200])
def test_a_cursor_holds_any_name(client: FlaskClient, name: str) -> None:
    ProbeFactory.create_batch(3, name=name)

    assert len(ids(client, sort="name", limit=1)) == 3


def test_filters_choose_rows(client: FlaskClient) -> None:
    parent = ProbeFactory.create(status=ProbeStatus.RETIRED)
    active = ProbeFactory.create(status=ProbeStatus.ACTIVE, parent_id=parent.id)
    draft = ProbeFactory.create(parent_id=parent.id)

    assert ids(client, status="active") == [str(active.id)]
    assert ids(client, parent_id=parent.id, limit=1) == [str(active.id), str(draft.id)]
    assert ids(client, parent_id=parent.id, status="draft") == [str(draft.id)]
    assert ids(client, parent_id=draft.id) == []


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sort=price", {"sort"}),
        ("sort=-created_at", {"sort"}),
        ("status=unknown", {"status"}),
        ("parent_id=x", {"parent_id"}),
        ("colour=red", {"colour"}),
        ("limit=0&sort=x&status=x&page=2", {"limit", "sort", "status", "page"}),
        ("limit=1&limit=2", {"limit"}),
        ("status=draft&status=draft", {"status"}),
        ("%ff=1", {"%FF"}),
        ("%00", {"\x00"}),
    ],
)
def test_what_is_not_a_filter_or_order_is_rejected(
    client: FlaskClient, query: str, names: set[str]
) -> None:
    document = problem(client.get(f"{URL}?{query}"), 422)

    assert errors_of(document).keys() == names


def test_a_query_that_is_not_encoded_is_rejected(client: FlaskClient) -> None:
    problem(client.get(URL, environ_overrides={"QUERY_STRING": "status=\xff"}), 400)


def next_cursor(client: FlaskClient, query: str = "") -> str:
    response = client.get(f"{URL}?limit=1&{query}")
    assert response.json is not None
    cursor: str = response.json["next"]
    return cursor


@pytest.mark.parametrize("query", ["sort=name", "sort=created_at_desc", "status=draft"])
def test_a_cursor_is_good_for_its_own_sort_and_filters(client: FlaskClient, query: str) -> None:
    ProbeFactory.create_batch(3)
    cursor = next_cursor(client)

    document = problem(client.get(f"{URL}?{query}&cursor={cursor}"), 422)

    assert errors_of(document).keys() == {"cursor"}
    assert client.get(f"{URL}?limit=2&cursor={cursor}").status_code == 200


def test_a_cursor_that_was_changed_is_rejected(client: FlaskClient) -> None:
    ProbeFactory.create_batch(3)
    cursor = next_cursor(client)

    for place in range(len(cursor)):
        other = "A" if cursor[place] != "A" else "B"
        changed = cursor[:place] + other + cursor[place + 1 :]
        document = problem(client.get(f"{URL}?cursor={changed}"), 422)
        assert errors_of(document) == {"cursor": NO_CURSOR}


@pytest.mark.parametrize("cursor", ["", "x", "=", "%00", "%ff", "%F0%9F%98%80", "A" * 2001, "null"])
def test_what_is_not_a_cursor_is_rejected(client: FlaskClient, cursor: str) -> None:
    document = problem(client.get(f"{URL}?cursor={cursor}"), 422)

    assert errors_of(document).keys() == {"cursor"}


def test_the_link_keeps_the_query(client: FlaskClient) -> None:
    ProbeFactory.create_batch(2)

    response = client.get(f"{URL}?limit=1&sort=name&status=draft")

    link = LINK.fullmatch(response.headers["Link"])
    assert link is not None
    assert link[1].startswith(f"{URL}?limit=1&sort=name&status=draft&cursor=")


def test_head_and_options(client: FlaskClient) -> None:
    assert client.head(URL).status_code == 200
    options = client.options(f"{URL}?limit=1")
    assert (options.status_code, options.allow) == (200, {"GET", "HEAD", "POST", "OPTIONS"})
