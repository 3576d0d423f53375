"""Images without Docker: built by buildah and run as a container engine runs them.

The base image is built here from Debian packages, under the name that the Dockerfile uses.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .baked import BakedProject
from .environments import locked
from .servers import Service, free_port

# The image trusts the certificates of the machine, because it downloads packages.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BASE = ("python3", "python3-venv", "ca-certificates")
INDEXES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "HTTPS_PROXY",
)

# A container as compose.yaml and the manifests want it: a read-only root file system, /tmp in
# memory, no capabilities, another user. `exec` all the way, so that signals reach the service.
ENTER = """
root=$1 user=$2 folder=$3
shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
for mounted in $MOUNTS; do
    mkdir -p "$root${mounted#*:}"
    mount --bind "${mounted%:*}" "$root${mounted#*:}"
done
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" "$root" /usr/bin/env -i --chdir="$folder" "$@"
"""


class NoImagesError(RuntimeError):
    """Images cannot be built on this machine; the message gives the reason."""


def can_build() -> None:
    """Raise `NoImagesError` where images cannot be built."""
    if os.geteuid() != 0:
        raise NoImagesError("only root can build images without Docker")
    for program in ("buildah", "debootstrap", "unshare"):
        if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"):
            raise NoImagesError(f"{program} is missing; tools/install_buildah.sh installs it")


def run(*command: str | Path, **options: Any) -> str:
    """Run a program and return its output. Raises AssertionError with the output if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        **options,
    )
    words: str = done.stdout
    assert done.returncode == 0, f"{' '.join(map(str, command))}:\n{words[-6000:]}"
    return words


@dataclass(frozen=True)
class Buildah:
    """A store of images in a folder of its own."""

    folder: Path

    def __call__(self, *arguments: str | Path) -> str:
        """Run a command of buildah."""
        configuration = self.folder / "storage.conf"
        if not configuration.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            configuration.write_text(
                '[storage]\ndriver = "overlay"\n'
                f'graphroot = "{self.folder / "images"}"\nrunroot = "{self.folder / "run"}"\n'
            )
        isolated = {"CONTAINERS_STORAGE_CONF": str(configuration), "BUILDAH_ISOLATION": "chroot"}
        return run("buildah", *arguments, env={**os.environ, **isolated})

    def make_base(self, name: str) -> None:
        """Build the base image unless it exists; this takes a minute and a half."""
        tag = f"localhost/{name}"
        with locked(self.folder.with_suffix(".lock")):
            if tag in self("images", "--all", "--format", "{{.Name}}:{{.Tag}}").split():
                return
            container = self("from", "scratch").strip()
            root = Path(self("mount", container).strip())
            run("debootstrap", "--variant=minbase", f"--include={','.join(BASE)}", _release(), root)
            shutil.copy(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
            shutil.rmtree(root / "var" / "cache" / "apt")
            self("umount", container)
            variables = {
                "SSL_CERT_FILE": str(CERTIFICATES),
                "PIP_CERT": str(CERTIFICATES),
                **{name: os.environ[name] for name in INDEXES if name in os.environ},
            }
            for variable, value in variables.items():
                self("config", "--env", f"{variable}={value}", container)
            self("commit", "--quiet", "--rm", container, tag)

    def build(self, project: BakedProject, tag: str) -> str:
        """Build the project's image from its Dockerfile and return the output."""
        options = ("--format", "docker", "--pull-never", "--layers", "--tag", tag)
        return self("build", *options, project.path)

    def configuration(self, tag: str) -> dict[str, Any]:
        """Return the image's configuration: command, user, folder and environment."""
        described = json.loads(self("inspect", "--type", "image", tag))
        configuration: dict[str, Any] = described["Docker"]["config"]
        return configuration


def _release() -> str:
    """Return the code name of this machine's release of Debian or Ubuntu."""
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["VERSION_CODENAME"]


@dataclass(frozen=True)
class Container:
    """The mounted files of an image, and how to run programs in it."""

    root: Path
    configuration: Mapping[str, Any]
    mounts: Mapping[Path, Path] = field(default_factory=dict)

    def command(self, settings: Mapping[str, str], program: Iterable[str]) -> list[str]:
        """Return the command that runs a program in it, with these additional settings."""
        variables = [*self.configuration["Env"], *(f"{k}={v}" for k, v in settings.items())]
        mounts = " ".join(f"{here}:{there}" for here, there in self.mounts.items())
        user, folder = self.configuration["User"], self.configuration["WorkingDir"]
        return [
            *("env", f"MOUNTS={mounts}", "unshare", "--mount", "sh", "-euc", ENTER, "container"),
            *(str(self.root), user, folder, *variables, *program),
        ]

    def run(self, settings: Mapping[str, str], *program: str) -> str:
        """Run a program in it, which has to succeed, and return its output."""
        return run(*self.command(settings, program))


@dataclass
class ServiceInContainer(Service):
    """The image's own command, run in a container."""

    container: Container | None = None
    management_port: int = field(default_factory=free_port)

    @property
    def command(self) -> list[str | Path]:
        """The command that starts it."""
        assert self.container is not None
        bind = {
            "BIND": f"127.0.0.1:{self.port}",
            "METRICS_PORT": str(self.management_port),
        }
        program = self.container.configuration["Cmd"]
        return list(self.container.command({**self.settings, **bind}, program))


def seconds_since(began: float) -> float:
    """Return the seconds since `began`, to a tenth."""
    return round(time.monotonic() - began, 1)
