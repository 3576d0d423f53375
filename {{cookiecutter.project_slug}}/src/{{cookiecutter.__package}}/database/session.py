"""The declarative base, and `db`: the engine, and the session that is bound to the Flask context.

docs/sessions.md explains the rules and the reasons.
"""

import logging
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, current_app, has_app_context
from flask.ctx import AppContext
from flask.globals import app_ctx
from sqlalchemy import Engine, MetaData, orm
from sqlalchemy.orm import DeclarativeBase, Session, scoped_session
from werkzeug.local import LocalProxy

from ..base_settings import ServiceSettings
from .engine import POOL_OPTIONS, make_engine

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

OUTSIDE_A_CONTEXT = (
    "{name} needs a Flask application context. A view and a `flask` command have one; anywhere else"
    " write `with app.app_context(): ...`, and give a thread of your own its context too"
    " (docs/sessions.md)."
)


class Base(DeclarativeBase):
    """The base of all models; every constraint has a name, so that migrations can refer to it."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class ContextSession(scoped_session[Session]):
    """A registry that hands each application context a session of its own.

    The key is the context object itself, held weakly: neither a recycled address nor a skipped
    teardown can hand one context's session to another, and an entry dies with its context.
    """

    def __init__(self, open_session: Callable[[], Session]) -> None:
        factory = cast("orm.sessionmaker[Session]", open_session)
        super().__init__(factory, scopefunc=_current_context)
        self._sessions: weakref.WeakKeyDictionary[AppContext, Session] = weakref.WeakKeyDictionary()
        self.registry.registry = self._sessions

    def remove(self) -> None:
        """Roll back and close the context's session, if it has one; a failing rollback is logged.

        The entry is removed first, so nothing can use the session again. `close()` runs even when
        the rollback fails, and returns the connection to the pool.
        """
        session = self._sessions.pop(_current_context(), None)
        if session is None:
            return
        try:
            session.rollback()
        except Exception:
            log.warning("The rollback at the end of a context failed", exc_info=True)
        finally:
            session.close()


@dataclass(frozen=True)
class _State:
    """The engine and the session factory of one application."""

    engine: Engine
    sessionmaker: "orm.sessionmaker[Session]"


class Database:
    """One object for any number of applications: it acts for that of the current context."""

    def __init__(self) -> None:
        self.session = ContextSession(self._open_session)

    def init_app(self, app: Flask, settings: ServiceSettings) -> None:
        """Give the application an engine, a session factory and the end of its sessions."""
        engine = make_engine(settings.database_url.get_secret_value(), **engine_options(settings))
        factory = orm.sessionmaker(engine, expire_on_commit=False)
        app.extensions["settings"] = settings
        app.extensions["database"] = _State(engine, factory)
        teardown = RemoveSessionTeardown(app.do_teardown_appcontext, self.session)
        app.do_teardown_appcontext = teardown  # type: ignore[assignment, method-assign]
        app.wsgi_app = SeparateContextMiddleware(app)  # type: ignore[method-assign]

    @property
    def engine(self) -> Engine:
        """The current application's engine."""
        return self._state("db.engine").engine

    @property
    def sessionmaker(self) -> "orm.sessionmaker[Session]":
        """The current application's session factory, for a task that needs a session of its own."""
        return self._state("db.sessionmaker").sessionmaker

    def _open_session(self) -> Session:
        return self._state("db.session").sessionmaker()

    def _state(self, name: str) -> _State:
        if not current_app:
            raise RuntimeError(OUTSIDE_A_CONTEXT.format(name=name))
        return cast(_State, current_app.extensions["database"])


class RemoveSessionTeardown:
    """Removes the session at the end of a context, even if another teardown function fails.

    Flask 3.1 skips the functions registered by `teardown_appcontext` after one that fails, and a
    skipped one leaks its connection. Flask 3.2 calls them all: then `app.teardown_appcontext` does.
    https://github.com/pallets/flask/issues/6044
    """

    def __init__(self, teardown: Callable[..., None], session: ContextSession) -> None:
        self._teardown = teardown
        self._session = session

    def __call__(self, *context_and_error: Any) -> None:
        """Run the teardown functions, then remove the session."""
        try:
            self._teardown(*context_and_error)
        finally:
            self._session.remove()


class SeparateContextMiddleware:
    """Gives a request a context of its own where it is sent inside `with app.app_context():`.

    Flask 3.1 would run it in that same context: with its session, and without ending it. Flask
    3.2 does not (https://github.com/pallets/flask/pull/5812), and this can go. A server has no such
    context, so this costs it nothing.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._wsgi_app = app.wsgi_app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Respond to a request."""
        if not has_app_context():
            return self._wsgi_app(environ, start_response)
        with self._app.app_context():
            return self._wsgi_app(environ, start_response)


def engine_options(settings: ServiceSettings) -> dict[str, Any]:
    """Return the options of `make_engine`: a pool as large as a worker has threads, and limits."""
    return {
        "statement_timeout_seconds": settings.statement_timeout_seconds,
        "pool_size": settings.threads,
        "max_overflow": 0,
        "pool_timeout": settings.pool_timeout_seconds,
        **POOL_OPTIONS,
    }


def _current_context() -> AppContext:
    """Return the pushed context itself, not its proxy, which is the same object everywhere."""
    try:
        return cast("LocalProxy[AppContext]", app_ctx)._get_current_object()
    except RuntimeError:
        raise RuntimeError(OUTSIDE_A_CONTEXT.format(name="db.session")) from None


db = Database()
