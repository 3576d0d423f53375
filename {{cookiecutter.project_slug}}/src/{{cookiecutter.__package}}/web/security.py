"""The protection of the service from the network: headers, hosts, proxies, other origins."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, abort, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from ..base_settings import ServiceSettings
from ..observability.request_ids import HEADER, request_ids_of
from ..observability.response_hooks import Headers, add_response_hook
from .health import PROBES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

POLICY = "Content-Security-Policy"
SECURITY_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)
NO_STORE = ("Cache-Control", "no-store")
PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]++)++/?")
DEFAULT_POLICY = (POLICY, "default-src 'none'; frame-ancestors 'none'")

CORS_HEADERS = (
    ("Access-Control-Expose-Headers", f"ETag, Link, Location, Retry-After, {HEADER}"),
    ("Vary", "Origin"),
)
CORS_PREFLIGHT = (
    ("Access-Control-Allow-Methods", "DELETE, GET, HEAD, PATCH, POST, PUT"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Traceparent,"
        f" {HEADER}",
    ),
    ("Access-Control-Max-Age", "600"),
)


def init_app(app: Flask, settings: ServiceSettings) -> None:
    """Set up headers, hosts, origins and proxies; an empty setting costs a request nothing."""
    _send_headers(app, settings.hsts_seconds)
    if settings.trusted_hosts:
        _check_hosts(app, settings.trusted_hosts)
    if settings.cors_origins:
        _allow_origins(app, frozenset(settings.cors_origins))
    if settings.trusted_proxies:
        # The Host header is taken from the request itself: a proxy that does not set
        # X-Forwarded-Host would let callers choose it.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            PrefixMiddleware(app.wsgi_app),
            x_for=settings.trusted_proxies,
            x_proto=settings.trusted_proxies,
            x_host=0,
            x_prefix=settings.trusted_proxies,
        )


class PrefixMiddleware:
    """Ignores a prefix that is not a plain path: it begins every link, and `//host` leaves us."""

    def __init__(self, wsgi_app: "WSGIApplication") -> None:
        self._wsgi_app = wsgi_app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Respond to a request."""
        prefix = environ.get("SCRIPT_NAME", "")
        if prefix:
            environ["SCRIPT_NAME"] = prefix.rstrip("/") if PREFIX.fullmatch(prefix) else ""
        return self._wsgi_app(environ, start_response)


def _send_headers(app: Flask, hsts_seconds: int) -> None:
    """Send the request's id, and what browsers and caches have to know.

    A response without a policy of its own may load nothing, and one that does not say how long it
    holds is not stored. HSTS is for HTTPS only (RFC 6797, 7.2).
    """
    https_only = ("Strict-Transport-Security", f"max-age={hsts_seconds}; includeSubDomains")

    def add(environ: "WSGIEnvironment", _status: int, headers: Headers) -> None:
        names = {name for name, _ in headers}
        if POLICY not in names:
            headers.append(DEFAULT_POLICY)
        if "Cache-Control" not in names:
            headers.append(NO_STORE)
        headers += SECURITY_HEADERS
        headers.append((HEADER, request_ids_of(environ).request_id))
        if hsts_seconds and environ["wsgi.url_scheme"] == "https":
            headers.append(https_only)

    add_response_hook(app, add)


def _check_hosts(app: Flask, hosts: tuple[str, ...]) -> None:
    """Reject requests for other hosts, except probes: those are sent to an address."""

    @app.before_request
    def check_host() -> None:
        if not host_is_trusted(request.host.lower(), hosts) and request.path not in PROBES:
            abort(400, "This host is not served here.")


def _allow_origins(app: Flask, origins: frozenset[str]) -> None:
    """Allow pages of these origins to read responses, and respond to preflight requests."""

    @app.before_request
    def answer_preflight() -> Response | None:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return Response(status=204, headers=CORS_PREFLIGHT)
        return None

    @app.after_request
    def allow(response: Response) -> Response:
        response.headers.extend(CORS_HEADERS)
        origin = request.headers.get("Origin")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
        return response
