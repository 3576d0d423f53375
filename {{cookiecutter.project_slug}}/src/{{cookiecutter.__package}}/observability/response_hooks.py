"""Hooks on every response: they add its headers, measure it and log it.

Hooks see the response as it is sent (WSGI), whoever made it. A hook that fails is logged, and costs
what it would have done, not the response.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from .request_ids import request_ids_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

Headers = list[tuple[str, str]]
ResponseHook = Callable[["WSGIEnvironment", int, Headers], None]
"""Called with the request's environment, the response's status, and its headers to add to.

`environ["werkzeug.request"]` is the request.
"""

NAME = "response_hooks"


def add_response_hook(app: Flask, hook: ResponseHook) -> None:
    """Call `hook` for every response of the application, after the hooks that it has already."""
    if NAME not in app.extensions:
        app.extensions[NAME] = []
        middleware = ResponseHooksMiddleware(app.wsgi_app, app.extensions[NAME])
        app.wsgi_app = middleware  # type: ignore[method-assign]
    app.extensions[NAME].append(hook)


class ResponseHooksMiddleware:
    """Calls hooks when the application starts its response.

    `after_request` of Flask 3.1 takes twice as long for the same hooks, and is not called for an
    error in another such function.
    """

    def __init__(self, wsgi_app: "WSGIApplication", hooks: list[ResponseHook]) -> None:
        self._wsgi_app = wsgi_app
        self._hooks = hooks

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Respond to a request."""
        request_ids_of(environ)

        def start(status: str, headers: Headers, error: Any = None) -> Callable[[bytes], object]:
            if environ.get("werkzeug.request") is None:  # removed by a copied context that ended
                environ["werkzeug.request"] = request
            code = int(status[:3])
            for hook in self._hooks:
                try:
                    hook(environ, code, headers)
                except Exception:
                    log.exception("A response hook failed")
            return start_response(status, headers, error)

        return self._wsgi_app(environ, start)
