"""Access control: every route under `/api` requires a credential, unless its view is `@public`.

The credential is a bearer token (RFC 6750). The module whose `authenticate` is passed in by
`create_app` decides which tokens are valid and to whom they belong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from flask import abort, current_app, g, request

from ..observability.response_hooks import Headers, add_response_hook
from ..web.app import ApiFlask
from ..web.problems import problem, problem_responses

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

GUARDED_PREFIX = "/api/"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REALM = "{{ cookiecutter.project_slug }}"
SCHEME = "bearer"
AUTH_PROBLEMS = (401, 403)

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Principal:
    """An authenticated caller: the scopes, and a unique id that outlives its credentials."""

    id: str
    scopes: frozenset[str]

    def __str__(self) -> str:
        return self.id


Authenticate = Callable[[str], Principal]
"""Returns the principal of a token, or calls `reject_token`."""


def init_app(app: ApiFlask, authenticate: Authenticate) -> None:
    """Guard the API, and document that."""
    app.extensions["authenticate"] = authenticate
    app.before_request(check_credential)
    add_response_hook(app, _vary_by_credential)
    app.security_schemes = {SCHEME: {"type": "http", "scheme": SCHEME}}
    app.openapi_extensions["security"] = [{SCHEME: []}]
    app.document_hooks.append(lambda document: _document_credentials(document, app))


def public(view: View) -> View:
    """Mark a view as public; write it below the route's decorator."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def is_public(endpoint: str | None) -> bool:
    """Return whether this view of the current application is public."""
    return getattr(current_app.view_functions.get(endpoint or ""), "is_public", False)


def is_guarded(path: str) -> bool:
    """Return whether this path, or that of a rule, requires a credential by default."""
    return f"{path}/".startswith(GUARDED_PREFIX)


def check_credential() -> None:
    """Reject a request under `/api` with 401 or 403, unless its token allows it.

    For a path without a route any valid token is enough: the response is then 404.
    """
    if not is_guarded(request.path) or is_public(request.endpoint):
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != SCHEME or not token.strip():
        _reject(401, "Send a bearer token in the Authorization header.")
    g.principal = current_app.extensions["authenticate"](token.strip())
    if request.endpoint is not None:
        scope = scope_of(request.endpoint, request.method)
        if scope not in g.principal.scopes:
            _reject(
                403, f"This requires the scope {scope}.", error="insufficient_scope", scope=scope
            )


def _vary_by_credential(environ: "WSGIEnvironment", _status: int, headers: Headers) -> None:
    """Tell caches that a response of the API is for this caller only."""
    if is_guarded(f"/{environ['PATH_INFO'].lstrip('/')}"):
        headers.append(("Vary", "Authorization"))


def reject_token() -> NoReturn:
    """Reject a token without the reason, which would only help to forge one."""
    _reject(401, "The bearer token is not valid.", error="invalid_token")


def _document_credentials(document: dict[str, Any], app: ApiFlask) -> None:
    """Document the problems of missing credentials, or that an operation is public."""
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
    """Return the scope that a request requires: `<resource>:read` or `<resource>:write`."""
    action = "read" if method in SAFE_METHODS else "write"
    return f"{endpoint.rpartition('.')[0] or 'api'}:{action}"


def known_scopes() -> frozenset[str]:
    """Return all scopes that the routes of the current application require."""
    return frozenset(
        scope_of(rule.endpoint, method)
        for rule in current_app.url_map.iter_rules()
        if is_guarded(rule.rule) and not is_public(rule.endpoint)
        for method in rule.methods or ()
    )


def _reject(status: int, detail: str, **challenge: str) -> NoReturn:
    # Quoted, as RFC 9110 (11.6.1) requires of a realm: Werkzeug does not quote what is a token.
    parameters = {"realm": REALM, **challenge}
    text = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    abort(problem(status, detail, headers={"WWW-Authenticate": f"Bearer {text}"}))
