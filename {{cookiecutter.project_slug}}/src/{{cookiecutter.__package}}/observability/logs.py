"""Logs on standard error: a line for each request, and those of libraries in the same format.

One JSON object a line, or text for people; docs/operations.md names the fields. Secrets are removed
from every line; in that of a request only added fields can hold one. A line that cannot be written
is lost and counted: logging never fails or delays a response.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, has_request_context, request
from opentelemetry import trace
from structlog.typing import EventDict, WrappedLogger

from ..base_settings import ServiceSettings
from .metrics import lost_lines_counter
from .request_ids import current_request_ids, request_ids_of
from .response_hooks import Headers, add_response_hook
from .standard_error import StandardErrorHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

REDACTED = "[redacted]"
MAX_TEXT_LENGTH = 16_384
FIELDS = "service.log_fields"

NAMES = r"pass(?:word|wd|phrase)|authorization|cookie|credential|secret|token|api[_-]?key|signature"
SECRET_NAME = re.compile(NAMES, re.IGNORECASE)
SECRETS_IN_TEXT = (
    (re.compile(r"(\w://[^\s:/@]*:)[^\s/]+@"), rf"\1{REDACTED}@"),
    # Texts of callers pass here: possessive quantifiers never try a part again, so that the time
    # grows with the length of the text only.
    (
        re.compile(
            rf"((?<![\w-])(?=[\w-]*?(?:{NAMES}))[\w-]++['\"]?+\s*+[=:]\s*+['\"]?+)"
            r"(?:(?:basic|bearer)\s++)?+[^\s'\"&,;]++",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
)

# The development server's access log would repeat each request, and probes are noise.
NOISY_LOGGERS = {
    "werkzeug": re.compile(r"^\S* - - \[[^\]]*\] "),
    "alembic.runtime.migration": re.compile("Context impl|Will assume"),
}

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=repr).encode
stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)


def configure(settings: ServiceSettings) -> StandardErrorHandler:
    """Log in the format of these settings, in the whole process; may be called again."""
    render = _renderer(settings)
    handler = StandardErrorHandler()
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
                structlog.processors.format_exc_info,  # before `redact`, which removes its secrets
                redact,
                lambda _logger, _method, event: render(event),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [
        other for other in root.handlers if not isinstance(other, StandardErrorHandler)
    ]
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    for name, noise in NOISY_LOGGERS.items():
        logging.getLogger(name).filters = [_no_match(noise)]
    return handler


def init_app(app: Flask, settings: ServiceSettings) -> None:
    """Log each request of the application.

    The line is written without `logging`: all that it holds is known to be plain, and the way
    through `logging` would cost three times as much.
    """
    handler = configure(settings)
    handler.count_lost_line = lost_lines_counter(app.extensions["metrics"])
    render = _renderer(settings)
    lowest = logging.getLogger().level

    def log_request(environ: "WSGIEnvironment", status: int, _headers: Headers) -> None:
        level = logging.ERROR if status >= 500 else logging.INFO
        if level < lowest:
            return
        request = environ["werkzeug.request"]
        ids = request_ids_of(environ)
        line: EventDict = {
            "event": "request",
            "level": "error" if level == logging.ERROR else "info",
            "method": request.method,
            "route": request.url_rule and request.url_rule.rule,
            "path": request.path,
            "status": status,
            "duration_ms": round((perf_counter() - ids.began) * 1000, 3),
            "request_id": ids.request_id,
            "trace_id": ids.trace_id,
            "client": request.remote_addr,
        }
        if FIELDS in environ:
            line.update(redact(None, "", environ[FIELDS]))
        handler.write_line(render(stamp(None, "", line)))

    add_response_hook(app, log_request)


def add_request_fields(**fields: object) -> None:
    """Add fields to the line of the current request; secrets are removed from them."""
    request.environ.setdefault(FIELDS, {}).update(fields)


def add_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the ids of the request that the line belongs to, or the trace id of another span."""
    if has_request_context():
        ids = current_request_ids()
        event["request_id"] = ids.request_id
        event["trace_id"] = ids.trace_id
    elif (span := trace.get_current_span().get_span_context()).is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
    return event


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove secrets, by the names of fields and in texts such as tracebacks; cut long texts."""
    return {name: _redacted(name, value) for name, value in event.items()}


def _redacted(name: object, value: Any) -> Any:
    if isinstance(name, str) and SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, str):
        for secret, replacement in SECRETS_IN_TEXT:
            value = secret.sub(replacement, value)
        return _shortened(value)
    if isinstance(value, Mapping):
        return {key: _redacted(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(None, inner) for inner in value]
    return value


def _shortened(text: str) -> str:
    """Cut the middle: a traceback says at its end what happened."""
    excess = len(text) - MAX_TEXT_LENGTH
    if excess <= 0:
        return text
    half = MAX_TEXT_LENGTH // 2
    return f"{text[:half]} [{excess} characters cut] {text[-half:]}"


def _renderer(settings: ServiceSettings) -> Callable[[EventDict], str]:
    if settings.log_format == "json":
        return encode
    console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return lambda event: console(None, "", event)


def _no_match(noise: re.Pattern[str]) -> Callable[[logging.LogRecord], bool]:
    return lambda record: not noise.match(record.getMessage())
