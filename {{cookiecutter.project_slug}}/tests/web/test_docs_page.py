from html.parser import HTMLParser

import pytest
from flask import Flask

from {{ cookiecutter.__package }}.web import docs_page


class Page(HTMLParser):
    """The URLs that a page loads, its title and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.title = ""
        self.tag = ""
        self.script_text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.loads += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        if self.tag == "script":
            self.script_text += data.strip()
        if self.tag == "title":
            self.title += data.strip()


def test_the_root_redirects_to_the_page(app: Flask) -> None:
    response = app.test_client().get("/")

    assert (response.status_code, response.headers["Location"]) == (303, "/docs")


def test_the_page_loads_only_files_of_the_service(app: Flask) -> None:
    client = app.test_client()

    response = client.get("/docs")
    page = Page(response.text)

    assert response.mimetype == "text/html"
    assert page.title == app.test_client().get("/openapi.json").get_json()["info"]["title"]
    assert page.script_text == ""
    files = [name for name in page.loads if not name.startswith("data:")]
    assert len(files) == 3
    for name in files:
        assert name.startswith("docs/")
        assert client.get(f"/{name}").status_code == 200


def test_a_file_that_the_caller_has_is_not_sent_again(app: Flask) -> None:
    client = app.test_client()
    tag = client.get("/docs/swagger-ui.css").headers["ETag"]

    assert client.get("/docs/swagger-ui.css", headers={"If-None-Match": tag}).status_code == 304


def test_a_file_of_another_state_is_a_problem(app: Flask) -> None:
    response = app.test_client().get("/docs/swagger-ui.css", headers={"If-Match": '"zz"'})

    assert response.status_code == 412
    assert response.mimetype == "application/problem+json"
    assert response.get_json()["status"] == 412


def test_the_content_security_policy_allows_nothing_else(app: Flask) -> None:
    headers = app.test_client().get("/docs").headers

    (policy,) = headers.getlist("Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("name", "mimetype"),
    [
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("start.js", "text/javascript"),
    ],
)
def test_files_have_the_right_media_type(app: Flask, name: str, mimetype: str) -> None:
    assert app.test_client().get(f"/docs/{name}").mimetype == mimetype


@pytest.mark.parametrize("name", ["none.js", "..", "%2e%2e", "a.", "..%2f__init__.py", ".css"])
def test_other_files_are_not_found(app: Flask, name: str) -> None:
    assert app.test_client().get(f"/docs/{name}").status_code == 404


def test_the_title_is_escaped() -> None:
    service = Flask(__name__)
    docs_page.init_app(service, "<script>alert(1)</script>")

    page = Page(service.test_client().get("/docs").text)

    assert page.title == "<script>alert(1)</script>"
    assert page.script_text == ""
