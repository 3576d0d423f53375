"""How gunicorn runs the service; numbers that differ between places are settings (.env.example).

The master reads the settings, so that one that cannot be used ends it with a sentence. It imports
the service for that: start it anew for a new release, as HUP only reads the settings again.
"""

import json
import os
import secrets
import shutil
import signal
import stat
import tempfile
from http import HTTPStatus
from pathlib import Path

from gunicorn import util
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http import errors
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker

MEMORY = "/dev/shm"  # noqa: S108
FOLDER_OF_METRICS = "PROMETHEUS_MULTIPROC_DIR"
FOLDER_OF_THIS_RUN = "SERVICE_METRICS_FOLDER"

# In memory, because workers write a heartbeat and their metrics all the time: a slow disk would
# hold up requests, and it works where the root file system is read-only.
worker_tmp_dir = MEMORY if os.access(MEMORY, os.W_OK) else None

# The metrics' library decides when it is imported whether workers count in files. They are in a
# folder of this run's own, also where the variable names one: others may have files there. HUP runs
# this file again, and finds the folder of its run.
parent = os.environ.get(FOLDER_OF_METRICS) or worker_tmp_dir or tempfile.gettempdir()
own_folder = os.path.join(parent, f"metrics-{secrets.token_hex(8)}")
metrics_folder = Path(os.environ.setdefault(FOLDER_OF_THIS_RUN, own_folder))
os.environ[FOLDER_OF_METRICS] = str(metrics_folder)

from {{ cookiecutter.__package }}.observability import logs, metrics, tracing  # noqa: E402
from {{ cookiecutter.__package }}.settings import Settings  # noqa: E402
from {{ cookiecutter.__package }}.web import health, management  # noqa: E402

settings = Settings.load()
logs.configure(settings)

wsgi_app = "{{ cookiecutter.__package }}.wsgi:app"
bind = settings.addresses

# Threads wait for the database together; a worker for each core does the computing. Each worker
# has `threads` database connections at most, so the database sees workers x threads of them.
# See `worker_class` below.
workers = settings.workers
threads = settings.threads

# Each worker makes its own application: a connection pool that two processes share mixes their
# answers up.
preload_app = False

# Longer than load balancers keep an idle connection (60 s is common): or they would send a request
# into one that closes just now, and respond with 502.
keepalive = 75

# A worker whose main loop hangs is killed after so many seconds. This does not end a slow request,
# which runs in a thread: STATEMENT_TIMEOUT_SECONDS does.
timeout = 30

# From TERM, or the end of draining, until requests that still run are given up.
graceful_timeout = settings.graceful_timeout_seconds

# The maximum that gunicorn allows: the service itself responds to a cursor that is too long.
limit_request_line = 8190

# Off, as it wants to write into a home folder, which containers do not have.
control_socket_disable = True

# The application logs its requests itself, with their ids.
accesslog = None

# The application finds out who the caller is (TRUSTED_PROXIES); two places could disagree.
forwarded_allow_ips = ""


class logger_class(Logger):  # noqa: N801
    """Sends gunicorn's own lines through the service's log."""

    def setup(self, cfg: Config) -> None:
        """Drop gunicorn's handlers; the root logger has one."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


# The statuses of requests that gunicorn cannot parse; those of other errors are 400.
PARSE_ERRORS = {
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.ForbiddenProxyRequest: HTTPStatus.FORBIDDEN,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.ConfigurationProblem: HTTPStatus.NOT_FOUND,  # the path is not below SCRIPT_NAME
}


class worker_class(ThreadWorker):  # noqa: N801
    """Shows the management process that it lives, and rejects bad HTTP by problem documents."""

    def notify(self) -> None:
        """Record a heartbeat; the main loop calls this each second."""
        super().notify()
        health.record_heartbeat()

    def handle_error(self, req: object, client: object, addr: object, exc: Exception) -> None:
        """Respond to a request that cannot be parsed; gunicorn would send a page of HTML."""
        if not isinstance(exc, errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status = PARSE_ERRORS.get(type(exc), HTTPStatus.BAD_REQUEST)
        self.log.info("A request cannot be parsed: %s", type(exc).__name__)
        problem = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status,
            "detail": "The request is not valid HTTP, or exceeds a limit of the server.",
        }
        body = json.dumps(problem)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
            "Content-Type: application/problem+json\r\nCache-Control: no-store\r\n"
            f"X-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, (head + body).encode())
        except OSError:
            self.log.debug("The client of a request that cannot be parsed is gone")


def on_starting(server: Arbiter) -> None:
    """Prepare what has to be there before the first worker."""
    reject_impossible_options(server)
    make_metrics_folder(server)
    let_new_workers_hear_term(server)
    reload_usable_settings_only(server)
    if settings.drain_seconds:
        drain_before_stopping(server)
    serve_management(server)
    keep_management(server)


def on_reload(server: Arbiter) -> None:
    """Serve the management port by the settings as they are now."""
    if server.management:
        management.stop(server.management)
    server.revive_management = revive_management
    try:
        serve_management(server)
    except RuntimeError as error:
        server.log.error("%s", error)


def reject_impossible_options(server: Arbiter) -> None:
    """Reject options of the command line, or of GUNICORN_CMD_ARGS, with which nothing works."""
    if server.cfg.workers < 1:
        raise RuntimeError("gunicorn cannot serve without workers; remove --workers, set WORKERS.")
    if server.cfg.preload_app:
        raise RuntimeError("Workers cannot share a pool of connections; remove --preload.")
    if not issubclass(server.cfg.worker_class, worker_class):
        raise RuntimeError("Workers have to record heartbeats; remove --worker-class.")
    for address in server.cfg.address:
        if isinstance(address, int) and not is_open_socket(address):
            raise RuntimeError(f"BIND names fd://{address}, which is not an open socket.")


def is_open_socket(descriptor: int) -> bool:
    """Return whether whoever started this process has opened a socket for it."""
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def make_metrics_folder(server: Arbiter) -> None:
    """Make the folder, also again where it was removed; without it nothing is measured."""
    try:
        metrics_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        server.log.error("Nothing is measured: %s: %s", metrics_folder, error.strerror)


def serve_management(server: Arbiter) -> None:
    """Serve metrics and probes on a port that is not the public one, by a process of its own.

    Raises RuntimeError if that port cannot be opened.
    """
    server.management = 0
    if not settings.metrics_port:
        return
    host = f"[{settings.metrics_host}]" if ":" in settings.metrics_host else settings.metrics_host
    address = f"{host}:{settings.metrics_port}"
    try:
        server.management = management.start(settings, metrics_folder, server.LISTENERS)
    except OSError as error:
        raise RuntimeError(
            f"Metrics cannot be served on {address} ({error.strerror});"
            " set METRICS_PORT, 0 for none."
        ) from None
    server.log.info("Metrics and probes at: http://%s/metrics", address)


def keep_management(server: Arbiter) -> None:
    """Look each second whether the management process runs, as gunicorn does for its workers."""
    server.revive_management = revive_management
    manage_workers = server.manage_workers

    def manage_all() -> None:
        server.revive_management(server)  # by the settings that were read last
        manage_workers()

    server.manage_workers = manage_all


def revive_management(server: Arbiter) -> None:
    """Start the management process if there should be one and is none; log what comes of it."""
    if not settings.metrics_port:
        return
    if server.management and management.is_running(server.management):
        return
    try:
        serve_management(server)
    except RuntimeError as error:
        server.log.error("%s", error)
    else:
        server.log.error("The management process had ended, and was started again")


def reload_usable_settings_only(server: Arbiter) -> None:
    """On HUP go on as before if a setting cannot be used: gunicorn would end, with its workers."""
    reload = server.handle_hup

    def reload_if_usable() -> None:
        try:
            Settings.load()
        except SystemExit as error:
            server.log.error("Not reloaded: %s", error)
        else:
            reload()

    server.handle_hup = reload_if_usable


def drain_before_stopping(server: Arbiter) -> None:
    """On TERM make readiness respond with 503, and serve on until load balancers have seen it.

    gunicorn would close the door at once. A second TERM does, and so does the end of draining.
    """
    stop = server.handle_term

    def drain_first() -> None:
        if health.is_draining():
            stop()
        health.start_draining()
        server.log.info("Draining for %s seconds", settings.drain_seconds)
        signal.setitimer(signal.ITIMER_REAL, settings.drain_seconds)

    server.handle_term = drain_first
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def let_new_workers_hear_term(server: Arbiter) -> None:
    """Hold TERM back from a new worker until `post_fork`, where it ends it.

    Until a worker has handlers of its own it has the master's, which put a TERM where nobody reads
    it: that worker would serve until it is killed at the end of the graceful timeout.
    https://github.com/benoitc/gunicorn/issues/1910
    """
    spawn = server.spawn_worker

    def spawn_undisturbed() -> object:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            return spawn()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    server.spawn_worker = spawn_undisturbed


def pre_fork(server: Arbiter, _worker: Worker) -> None:
    """Make sure that the worker can count."""
    make_metrics_folder(server)


def post_fork(_server: Arbiter, _worker: Worker) -> None:
    """End the worker on TERM."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def worker_exit(_server: Arbiter, _worker: Worker) -> None:
    """Export the spans that wait, if tracing is on."""
    tracing.shutdown()


def child_exit(_server: Arbiter, worker: Worker) -> None:
    """Forget what a worker that is gone had in use; its counts stay."""
    metrics.mark_worker_dead(worker.pid)


def on_exit(server: Arbiter) -> None:
    """Remove the metrics of this run."""
    # At its end Python takes its handlers back: a late alarm would kill the process.
    signal.setitimer(signal.ITIMER_REAL, 0)
    if server.management:
        management.stop(server.management)
    shutil.rmtree(metrics_folder, ignore_errors=True)
