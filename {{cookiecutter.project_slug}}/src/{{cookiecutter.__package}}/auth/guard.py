"""Who may call: every route under `/api` needs a credential, unless its view is marked `@public`.

The credential is a bearer token (RFC 6750). What a token is, and whom it stands for, is the concern
of the module whose `authenticate` is passed in by `create_app`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from flask import abort, current_app, g, request

from ..web.app import ApiFlask
from ..web.problems import problem, problem_responses

GUARDED_PREFIX = "/api/"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REALM = "{{ cookiecutter.project_slug }}"
SCHEME = "bearer"
AUTH_PROBLEMS = (401, 403)

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Principal:
    """Who calls, by a name that nobody else has, and what they may do."""

    id: str
    scopes: frozenset[str]

    def __str__(self) -> str:
        return self.id


Authenticate = Callable[[str], Principal]
"""Finds out whom a token stands for; calls `reject_token` if for nobody."""


def init_app(app: ApiFlask, authenticate: Authenticate) -> None:
    """Guard the API, and say so in the document."""
    app.extensions["authenticate"] = authenticate
    app.before_request(check_credential)
    app.security_schemes = {SCHEME: {"type": "http", "scheme": SCHEME}}
    app.openapi_extensions["security"] = [{SCHEME: []}]
    app.document_hooks.append(lambda document: _document_credentials(document, app))


def public(view: View) -> View:
    """Let everybody call this view; write it below the route's own decorator."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def is_public(endpoint: str | None) -> bool:
    """Whether everybody may call this view of the current application."""
    return getattr(current_app.view_functions.get(endpoint or ""), "is_public", False)


def is_guarded(path: str) -> bool:
    """Whether this path, or that of a rule, is one that needs a credential by default."""
    return f"{path}/".startswith(GUARDED_PREFIX)


def check_credential() -> None:
    """Let a request under `/api` go on only for somebody who may send it: else 401 or 403.

    For a path that nothing serves, any valid token will do: then the answer is 404.
    """
    if not is_guarded(request.path) or is_public(request.endpoint):
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != SCHEME or not token.strip():
        _refuse(401, "Send a bearer token in the Authorization header.")
    g.principal = current_app.extensions["authenticate"](token.strip())
    if request.endpoint is not None:
        scope = scope_of(request.endpoint, request.method)
        if scope not in g.principal.scopes:
            _refuse(403, f"This needs the scope {scope}.", error="insufficient_scope", scope=scope)


def reject_token() -> NoReturn:
    """Refuse a token, without saying what is wrong with it: only its forger would want to know."""
    _refuse(401, "The bearer token is not valid.", error="invalid_token")


def _document_credentials(document: dict[str, Any], app: ApiFlask) -> None:
    """Document the problems of a missing credential, or that an operation needs none."""
    public = {
        name.replace(".", "_")
        for name, view in app.view_functions.items()
        if getattr(view, "is_public", False)
    }
    for path in document["paths"].values():
        for operation in path.values():
            if operation["operationId"] in public:
                operation["security"] = []
            else:
                operation["responses"] |= problem_responses(*AUTH_PROBLEMS)


def scope_of(endpoint: str, method: str) -> str:
    """The scope that a call needs: `<resource>:read` or `<resource>:write`."""
    action = "read" if method in SAFE_METHODS else "write"
    return f"{endpoint.rpartition('.')[0] or 'api'}:{action}"


def known_scopes() -> frozenset[str]:
    """All scopes that the routes of the current application need."""
    return frozenset(
        scope_of(rule.endpoint, method)
        for rule in current_app.url_map.iter_rules()
        if is_guarded(rule.rule) and not is_public(rule.endpoint)
        for method in rule.methods or ()
    )


def _refuse(status: int, detail: str, **challenge: str) -> NoReturn:
    # Quoted, as RFC 9110 (11.6.1) demands of a realm: Werkzeug leaves what could be a word alone.
    told = ", ".join(f'{name}="{value}"' for name, value in {"realm": REALM, **challenge}.items())
    abort(problem(status, detail, headers={"WWW-Authenticate": f"Bearer {told}"}))
