"""A private server that stops when the program that started it ends."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SECONDS_TO_START = 60
SECONDS_TO_STOP = 30
SECONDS_TO_PULL = 600
CONNECT_TIMEOUT_SECONDS = 10

# Its standard input is a pipe from the program that started the server. However that program ends,
# the pipe closes: then this stops the server, waits for it and removes a temporary folder.
SUPERVISOR = """
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -s "$STOP_SIGNAL" "$server"; } 2>/dev/null &
closing=$!
exec 3<&-
wait "$server"
status=$?
kill "$closing" 2>/dev/null
[ -z "$REMOVE" ] || [ -e pausing ] || rm -rf "$REMOVE"
exit "$status"
"""


class NoServerError(RuntimeError):
    """No server can be started; the message says what to do."""


class PrivateServer:
    """A running server process, which stops by `stop` or with this program."""

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        *,
        account: str | None,
        stop_signal: str,
        temporary: bool,
    ) -> None:
        self._command = ["sh", "-c", SUPERVISOR, "supervisor", *map(str, command)]
        self.folder = folder
        self._account = account
        self._variables = {
            "STOP_SIGNAL": stop_signal,
            "REMOVE": str(folder) if temporary else "",
        }
        self._pausing = folder / "pausing"
        self._log = (folder / "server.log").open("w+b")
        self.start()

    def start(self) -> None:
        """Start the server; use `wait_until` to wait until it accepts connections."""
        self._pausing.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            self._command,
            cwd=self.folder,
            env=os.environ | self._variables,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the program, which still needs the server
            user=self._account,
            group=_group(self._account),
            extra_groups=None if self._account is None else [],
        )

    def wait_until(self, ready: Callable[[], bool], seconds: float = SECONDS_TO_START) -> None:
        """Wait until the server is ready. Raises NoServerError with its last output if it fails."""
        end = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self._log.seek(0)
                output = self._log.read().decode(errors="replace")
                self.stop()
                raise NoServerError(f"The private server did not start:\n{output[-2000:]}")
            time.sleep(0.02)

    def pause(self) -> None:
        """Stop the server until `start`, and keep its folder."""
        self._pausing.touch()
        self._end()

    def stop(self) -> None:
        """Stop the server and wait for its end; do nothing if it has ended already."""
        self._end()
        self._log.close()

    def _end(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def unprivileged_account(*names: str) -> str | None:
    """Return the account for a server that does not run as root: the first one that exists.

    None if this process does not run as root, because it can run the server itself.
    """
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in (*names, "nobody") if name in known)


def temporary_folder(account: str | None) -> Path:
    """Make a folder with a short path, because the path of a socket is limited."""
    folder = Path(tempfile.mkdtemp(prefix="db-"))
    give(folder, account)
    return folder


def give(folder: Path, account: str | None) -> None:
    """Make the account the owner of the folder, and close it to all others."""
    folder.chmod(0o700)
    if account is not None:
        shutil.chown(folder, account, _group(account))


def can_use(path: Path, account: str | None) -> bool:
    """Return whether the account can read and run the file, or list the folder."""
    done = subprocess.run(
        ["test", "-r", str(path), "-a", "-x", str(path)],
        check=False,
        user=account,
        group=_group(account),
        extra_groups=None if account is None else [],
    )
    return done.returncode == 0


def run(command: Sequence[str | Path], folder: Path, account: str | None) -> None:
    """Run a program that prepares a server. Raises NoServerError with its output if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        user=account,
        group=_group(account),
        extra_groups=None if account is None else [],
    )
    if done.returncode != 0:
        raise NoServerError(f"{Path(command[0]).name} failed:\n{done.stdout[-2000:]}")


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def is_listening(address: tuple[str, int] | str) -> bool:
    """Return whether this host and port, or this Unix socket, accepts connections."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(CONNECT_TIMEOUT_SECONDS)
        return probe.connect_ex(address) == 0


def container(*options: str, image: str, port: int, inner_port: int, volume: str = "") -> list[str]:
    """Return the command for a server in a container, on a port of the loopback interface.

    `volume`, the path of its data outside and inside, keeps them, owned by the current user.
    """
    command = ["docker", "run", "--rm", "--publish", f"127.0.0.1:{port}:{inner_port}"]
    if volume:
        command += ["--volume", volume]
        command += [] if os.getuid() == 0 else ["--user", f"{os.getuid()}:{os.getgid()}"]
    return [*command, *(part for option in options for part in ("--env", option)), image]


def docker_is_available() -> bool:
    """Return whether this machine can run containers."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        done = subprocess.run(
            [docker, "info"], capture_output=True, timeout=CONNECT_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _group(account: str | None) -> int | None:
    return None if account is None else pwd.getpwnam(account).pw_gid
