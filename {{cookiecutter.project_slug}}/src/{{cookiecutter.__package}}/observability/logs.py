"""Logs on standard error: a line for each request, and those of libraries in the same format.

One JSON object a line, or text for people; docs/operations.md names the fields. Secrets are taken
out of every line but that of a request, which holds none.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, has_request_context
from structlog.typing import EventDict, WrappedLogger

from ..base_settings import ServiceSettings
from .request_ids import current_request_ids, request_ids_of
from .response_hooks import Headers, add_response_hook

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

REDACTED = "[redacted]"
NAMES = r"pass(?:word|wd|phrase)|authorization|cookie|credential|secret|token|api[_-]?key|signature"
SECRET_NAME = re.compile(NAMES, re.IGNORECASE)
SECRETS_IN_TEXT = (
    (re.compile(r"(\w://[^\s:/@]*:)[^\s/]+@"), rf"\1{REDACTED}@"),
    (  # only from the start of a word: or a long one would be tried from each of its letters
        re.compile(
            rf"((?<![\w-])[\w-]*(?:{NAMES})[\w-]*['\"]?\s*[=:]\s*['\"]?)"
            r"(?:(?:basic|bearer)\s+)?[^\s'\"&,;]+",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
)

# The development server's access log would be there twice, and a probe is no news.
NOISY_LOGGERS = {
    "werkzeug": re.compile(r".* - - \[.*\] "),
    "alembic.runtime.migration": re.compile("Context impl|Will assume"),
}

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=repr).encode
stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)


class StandardError(logging.StreamHandler[Any]):
    """Writes to what `sys.stderr` is now, not to what it was when the service began."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """The present standard error."""
        return sys.stderr


def configure(settings: ServiceSettings) -> None:
    """Let the whole process log in the format of these settings; may be called again."""
    render = _renderer(settings)
    handler = StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.contextvars.merge_contextvars,
                add_ids,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                stamp,
                structlog.processors.format_exc_info,  # before the secrets are taken out of it
                redact,
                lambda _logger, _method, event: render(event),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other, StandardError)]
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    for name, chatter in NOISY_LOGGERS.items():
        logging.getLogger(name).filters = [_no_match(chatter)]


def init_app(app: Flask, settings: ServiceSettings) -> None:
    """Log each request of the application.

    The line takes the short way to standard error: all it holds is known to be plain, and the way
    of other lines through `logging` would cost three times as much.
    """
    configure(settings)
    render = _renderer(settings)
    lowest = logging.getLogger().level

    def log_request(environ: "WSGIEnvironment", status: int, _headers: Headers) -> None:
        level = logging.ERROR if status >= 500 else logging.INFO
        if level < lowest:
            return
        request = environ["werkzeug.request"]
        who = request_ids_of(environ)
        line: EventDict = {
            "event": "request",
            "level": "error" if level == logging.ERROR else "info",
            "method": request.method,
            "route": request.url_rule and request.url_rule.rule,
            "path": request.path,
            "status": status,
            "duration_ms": round((perf_counter() - who.began) * 1000, 3),
            "request_id": who.request_id,
            "trace_id": who.trace_id,
            "client": request.remote_addr,
        }
        sys.stderr.write(render(stamp(None, "", line)) + "\n")

    add_response_hook(app, log_request)


def add_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the ids of the request that the line belongs to, if it belongs to one."""
    if has_request_context():
        who = current_request_ids()
        event["request_id"] = who.request_id
        event["trace_id"] = who.trace_id
    return event


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take out secrets: by the names of fields, and in texts, tracebacks included."""
    return {name: _redacted(name, value) for name, value in event.items()}


def _redacted(name: object, value: Any) -> Any:
    if isinstance(name, str) and SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, str):
        for secret, replacement in SECRETS_IN_TEXT:
            value = secret.sub(replacement, value)
    elif isinstance(value, Mapping):
        return {key: _redacted(key, inner) for key, inner in value.items()}
    elif isinstance(value, list | tuple):
        return [_redacted(None, inner) for inner in value]
    return value


def _renderer(settings: ServiceSettings) -> Callable[[EventDict], str]:
    if settings.log_format == "json":
        return encode
    console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return lambda event: console(None, "", event)


def _no_match(chatter: re.Pattern[str]) -> Callable[[logging.LogRecord], bool]:
    return lambda record: not chatter.match(record.getMessage())
