"""What is done to every answer on its way out: headers are added, it is measured and logged.

Hooks get the answer as it is sent (WSGI), whoever made it. Flask's `after_request` would do, and
take about twice the time for the same work.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from .request_ids import identify

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]
Hook = Callable[["WSGIEnvironment", int, Headers], None]
"""Called with the request's environment, the answer's status, and its headers to add to.

`environ["werkzeug.request"]` is the request.
"""

NAME = "answer_hooks"


def on_answer(app: Flask, hook: Hook) -> None:
    """Call `hook` for every answer of the application, after the hooks that it has already."""
    if NAME not in app.extensions:
        app.extensions[NAME] = []
        app.wsgi_app = _with_hooks(app.wsgi_app, app.extensions[NAME])  # type: ignore[method-assign, assignment]
    app.extensions[NAME].append(hook)


def _with_hooks(answer: "WSGIApplication", hooks: list[Hook]) -> "WSGIApplication":
    def wsgi_app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        identify(environ)

        def start(status: str, headers: Headers, error: Any = None) -> Callable[[bytes], object]:
            if environ.get("werkzeug.request") is None:  # a copied context that ended took it away
                environ["werkzeug.request"] = request
            code = int(status[:3])
            for hook in hooks:
                hook(environ, code, headers)
            return start_response(status, headers, error)

        return answer(environ, start)

    return wsgi_app
