"""The database: declarative base, engine, and the session that is bound to the Flask context.

docs/sessions.md tells the rules and why they are so.
"""

import logging
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, current_app, has_app_context
from flask.ctx import AppContext
from flask.globals import app_ctx
from sqlalchemy import Engine, MetaData
from sqlalchemy.orm import DeclarativeBase, Session, scoped_session, sessionmaker
from werkzeug.local import LocalProxy

from .engine_{{ cookiecutter.database }} import make_engine
from .settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
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
        super().__init__(cast("sessionmaker[Session]", open_session), scopefunc=_current_context)
        self._sessions: weakref.WeakKeyDictionary[AppContext, Session] = weakref.WeakKeyDictionary()
        self.registry.registry = self._sessions

    def remove(self) -> None:
        """Roll back and close the context's session, if it has one; a failing rollback is logged.

        The entry is forgotten first, so nothing can use the session again. `close()` runs even when
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
    """What one application has of the database."""

    engine: Engine
    sessions: sessionmaker[Session]


class Database:
    """One object for any number of applications: it acts for that of the current context."""

    def __init__(self) -> None:
        self.session = ContextSession(self._open_session)

    def init_app(self, app: Flask, settings: Settings) -> None:
        """Give the application an engine, a session factory and the end of its sessions."""
        engine = make_engine(settings)
        sessions = sessionmaker(engine, expire_on_commit=False)
        app.extensions["database"] = _State(engine, sessions)
        app.do_teardown_appcontext = self._ending_sessions(app)  # type: ignore[method-assign]
        app.wsgi_app = _in_a_context_of_its_own(app)  # type: ignore[assignment, method-assign]

    @property
    def engine(self) -> Engine:
        """The current application's engine."""
        return self._state("db.engine").engine

    @property
    def sessions(self) -> sessionmaker[Session]:
        """The current application's session factory, for a task that needs a session of its own."""
        return self._state("db.sessions").sessions

    def _open_session(self) -> Session:
        return self._state("db.session").sessions()

    def _state(self, name: str) -> _State:
        if not current_app:
            raise RuntimeError(OUTSIDE_A_CONTEXT.format(name=name))
        return cast(_State, current_app.extensions["database"])

    def _ending_sessions(self, app: Flask) -> Callable[..., None]:
        """The end of a context, and then of its session, even if the teardown of others fails.

        Flask 3.1 skips functions registered by `teardown_appcontext` when one before them fails.
        """
        tear_down = app.do_teardown_appcontext

        def do_teardown_appcontext(*context_and_error: Any) -> None:
            try:
                tear_down(*context_and_error)
            finally:
                self.session.remove()

        return do_teardown_appcontext


def _in_a_context_of_its_own(app: Flask) -> "WSGIApplication":
    """The application, whose requests never share the context that they are sent in.

    Flask 3.1 would answer a request inside `with app.app_context():` in that same context: with its
    session, and without ending it. A server has no such context, so this costs it nothing.
    """
    answer = app.wsgi_app

    def wsgi_app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if not has_app_context():
            return answer(environ, start_response)
        with app.app_context():
            return answer(environ, start_response)

    return wsgi_app


def _current_context() -> AppContext:
    """The pushed context itself, not the proxy for it, which is the same object everywhere."""
    try:
        return cast("LocalProxy[AppContext]", app_ctx)._get_current_object()
    except RuntimeError:
        raise RuntimeError(OUTSIDE_A_CONTEXT.format(name="db.session")) from None


db = Database()
