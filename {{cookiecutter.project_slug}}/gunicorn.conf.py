"""How gunicorn runs the service; numbers that differ between places are settings (.env.example).

The master reads the settings, so that one that cannot be used ends it with a sentence. It imports
the service for that: start it anew for a new release, as HUP only reads the settings again.
"""

import os
import secrets
import shutil
import signal
import tempfile

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

MEMORY = "/dev/shm"  # noqa: S108
FOLDER_OF_METRICS = "PROMETHEUS_MULTIPROC_DIR"

# In memory, because workers write a heartbeat and their metrics all the time: a slow disk would
# hold up requests, and it works where the root file system is read-only.
worker_tmp_dir = MEMORY if os.access(MEMORY, os.W_OK) else None

# The metrics' library decides when it is imported whether workers count in files.
if FOLDER_OF_METRICS not in os.environ:
    name = f"metrics-{secrets.token_hex(8)}"
    os.environ[FOLDER_OF_METRICS] = os.path.join(worker_tmp_dir or tempfile.gettempdir(), name)

from {{ cookiecutter.__package }}.observability import logs, metrics  # noqa: E402
from {{ cookiecutter.__package }}.settings import Settings  # noqa: E402
from {{ cookiecutter.__package }}.web import health  # noqa: E402

settings = Settings.load()
logs.configure(settings)

wsgi_app = "{{ cookiecutter.__package }}.wsgi:app"
bind = settings.bind

# Threads wait for the database together; a worker for each core does the computing. Each worker
# has `threads` database connections at most, so the database sees workers x threads of them.
worker_class = "gthread"
workers = settings.workers
threads = settings.threads

# Each worker makes its own application: a connection pool that two processes share mixes their
# answers up.
preload_app = False

# Longer than load balancers keep an idle connection (60 s is common): or they would send a request
# into one that closes just now, and answer it with 502.
keepalive = 75

# A worker whose main loop hangs is killed after so many seconds. This does not end a slow request,
# which runs in a thread: STATEMENT_TIMEOUT_SECONDS does.
timeout = 30

# From TERM, or the end of draining, until requests that still run are given up.
graceful_timeout = settings.graceful_timeout_seconds

# The most that gunicorn allows. A cursor and filters that are too long shall reach the service,
# which answers with a problem document; gunicorn's own 414 is a page.
limit_request_line = 8190

# Off, as it wants to write into a home folder, which containers do not have.
control_socket_disable = True

# The application logs its requests itself, with their ids.
accesslog = None

# Who the caller is, the application finds out (TRUSTED_PROXIES): not two places that can differ.
forwarded_allow_ips = ""


class logger_class(Logger):  # noqa: N801
    """Lets gunicorn's own lines go through the service's log."""

    def setup(self, cfg: Config) -> None:
        """Drop gunicorn's handlers; the root logger has one."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def on_starting(server: Arbiter) -> None:
    """Prepare what has to be there before the first worker."""
    # A folder of the last run would add its counts.
    shutil.rmtree(os.environ[FOLDER_OF_METRICS], ignore_errors=True)
    os.makedirs(os.environ[FOLDER_OF_METRICS], mode=0o700)
    let_new_workers_hear_term(server)
    if settings.drain_seconds:
        drain_before_stopping(server)


def drain_before_stopping(server: Arbiter) -> None:
    """On TERM let readiness answer 503 first, and serve on until load balancers have seen it.

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


def when_ready(server: Arbiter) -> None:
    """Serve the metrics of all workers from the master, on a port that is not the public one."""
    if not settings.metrics_port:
        return
    where = f"{settings.metrics_host}:{settings.metrics_port}"
    try:
        server.metrics = metrics.serve(settings.metrics_host, settings.metrics_port)
    except OSError as error:
        raise RuntimeError(
            f"Metrics cannot be served on {where} ({error.strerror}); set METRICS_PORT, 0 for none."
        ) from None
    server.log.info("Metrics at: http://%s/metrics", where)


def post_fork(server: Arbiter, _worker: Worker) -> None:
    """Let TERM end the worker, and leave the metrics' port to the master.

    Held by a worker too, the port would stay taken.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if settings.metrics_port:
        server.metrics.socket.close()


def child_exit(_server: Arbiter, worker: Worker) -> None:
    """Forget what a worker that is gone had in use; its counts stay."""
    metrics.mark_worker_dead(worker.pid)


def on_exit(_server: Arbiter) -> None:
    """Remove the metrics of this run."""
    shutil.rmtree(os.environ[FOLDER_OF_METRICS], ignore_errors=True)
