"""Draws the terminal of a person who generates a service, and adds a resource to it.

    python tools/make_recording.py [--without-setup] [folder]

It writes generation.svg and resource.svg into docs/images or another folder; without set-up, which
`make resource` needs, the first alone. Everything in the pictures was printed by a real run. Only
the pauses are made up, seconds are rounded, the recorded address of the template is that of the
command, and a revision has an id of this module, so that pictures of the same template differ only
in a few durations.
"""

import argparse
import fcntl
import itertools
import json
import os
import pty
import re
import struct
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from termtosvg.anim import render_animation
from termtosvg.asciicast import AsciiCastV2Event, AsciiCastV2Header
from termtosvg.config import default_templates
from termtosvg.term import timed_frames

TEMPLATE = Path(__file__).resolve().parents[1]
PICTURES = TEMPLATE / "docs" / "images"
COLUMNS, ROWS = 104, 30

# The path of the template in the README, and the answers; all other prompts get Enter.
PLACE = "path/to/this/repository"
ANSWERS = {
    "project_name": "Library",
    "description": "Which books there are, and who has them.",
    "resource": "book",
    "fields": "title:string:unique,pages:integer:min=1:optional,published_on:date:index:optional",
}
FURTHER = {"name": "loan", "fields": "book:ref:books reader:string:120 due_on:date:index"}

COLOUR = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
WAITING = re.compile(r"\[(\d+)/\d+\] .*\): $", re.DOTALL)
SECONDS = re.compile(r"( +)(\d+\.\d+)( ?s)\b")
RECORDED = re.compile(r"(?<=  cookiecutter )\S+(?: --checkout \w+)?(?= --no-input)")
REVISION = re.compile(r"(/versions/\d{4}_)[0-9a-f]{8}(?=_)")
PATCH_RELEASE = re.compile(r"(Python \d+\.\d+)\.\d+")
LINE = re.compile(r"\r\n\r(?!\n)|\r\n|\r")  # a spinner starts with the end of its line

SECONDS_TO_READ = 0.9
SECONDS_TO_TYPE = 0.5
SECONDS_OF_A_STEP = 1.0
SECONDS_AT_THE_END = 8.0


class Shown(NamedTuple):
    """Text that appears in the terminal, and how long it is shown before the next one."""

    text: str
    seconds: float


def converse(folder: str, *, without_setup: bool) -> list[tuple[str, str]]:
    """Generate a service in the folder; return the output before each answer, with the answer."""
    asked = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    names = [name for name in asked if not name.startswith("_")]
    answers = {**ANSWERS, "setup": "2"} if without_setup else ANSWERS
    (place := Path(folder, PLACE)).parent.mkdir(parents=True)
    place.symlink_to(TEMPLATE)
    process, terminal = _start(["cookiecutter", PLACE], folder, folder)
    said, printed = [], ""
    for piece in _pieces(terminal):
        printed += piece
        if asking := WAITING.search(COLOUR.sub("", printed)):
            answer = answers.get(names[int(asking[1]) - 1], "")
            os.write(terminal, f"{answer}\n".encode())
            said.append((printed, answer))
            printed = ""
    said.append((printed, ""))
    _check(process, printed, folder)
    return said


def add_a_resource(folder: str) -> str:
    """Add a resource to the service in the folder; return the output."""
    wishes = [f"{name}={value}" for name, value in FURTHER.items()]
    project = str(Path(folder, ANSWERS["project_name"].lower()))
    process, terminal = _start(
        ["make", "--no-print-directory", "resource", *wishes], project, folder
    )
    printed = "".join(_pieces(terminal))
    _check(process, printed, folder)
    return printed


def _start(command: list[str], folder: str, home: str) -> tuple[int, int]:
    """Run a command in a terminal, with only the programs of this machine; return both."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        python = Path(sys.executable).parent
        path = f"{python}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        shape = {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
        here = {"HOME": home, "PWD": folder, "PATH": path}
        os.execvpe(command[0], command, {**kept, **here, **shape})  # noqa: S606
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    return process, terminal


def _check(process: int, printed: str, folder: str) -> None:
    """Wait for the end of the process. Exits if it failed."""
    if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) != 0 or folder in printed:
        sys.exit(f"The command failed, or shows its folder:\n{printed}")


def _pieces(terminal: int) -> Iterator[str]:
    while True:
        try:
            yield os.read(terminal, 65536).decode()
        except OSError:  # a terminal reports its end by this error
            return


def generation(said: list[tuple[str, str]]) -> Iterator[Shown]:
    """Yield the texts of a generation in order."""
    yield Shown(f"$ cookiecutter {PLACE}", SECONDS_TO_READ)
    yield Shown("\r\n", 0)
    *questions, (rest, _) = said
    typed = ""
    for printed, answer in questions:
        yield Shown(printed.removeprefix(typed), SECONDS_TO_READ)
        yield Shown(answer, SECONDS_TO_TYPE if answer else 0)
        typed = answer
    yield from steps(rest.removeprefix(typed))


def further_resource(printed: str) -> Iterator[Shown]:
    """Yield the texts of `make resource` in order."""
    command = " ".join(
        f'{name}="{value}"' if " " in value else f"{name}={value}"
        for name, value in FURTHER.items()
    )
    yield Shown(f"$ make resource {command}", SECONDS_TO_READ)
    yield Shown("\r\n", 0)
    yield from steps(printed)


def steps(printed: str) -> Iterator[Shown]:
    """Yield the lines of a command that shows a spinner for each of its steps."""
    printed = PATCH_RELEASE.sub(r"\1", SECONDS.sub(_rounded, printed))
    printed = REVISION.sub(r"\g<1>1f0c7a52", RECORDED.sub(PLACE, printed))
    for line, following in itertools.pairwise([*LINE.split(printed), ""]):
        # Only the last frame of a spinner, which the end of its step replaces.
        if not re.match(r"  [|/\\-] ", line):
            yield Shown(f"{line}\r\n", 0)
        elif following.startswith(("  + ", "  x ")):
            yield Shown(f"{line}\r", SECONDS_OF_A_STEP)
    yield Shown("$ ", SECONDS_AT_THE_END)


def _rounded(found: re.Match[str]) -> str:
    space, seconds, unit = found.groups()
    rounded = f"{float(seconds):.0f}"
    if len(space) > 1:  # in a column
        space += " " * (len(seconds) - len(rounded))
    return f"{space}{rounded}{unit}"


def draw(shown: Iterator[Shown], picture: Path) -> None:
    """Draw the animation."""
    records: list[AsciiCastV2Header | AsciiCastV2Event] = [
        AsciiCastV2Header(version=2, width=COLUMNS, height=ROWS, theme=None)
    ]
    time = 0.0
    for text, seconds in shown:
        records.append(AsciiCastV2Event(time, "o", text, None))
        time += seconds
    last = round(SECONDS_AT_THE_END * 1000)
    geometry, frames = timed_frames(records, last_frame_dur=last)
    picture.parent.mkdir(parents=True, exist_ok=True)
    render_animation(frames, geometry, picture, default_templates()["window_frame"])
    picture.write_text(_calmed(picture.read_text(encoding="utf-8")), encoding="utf-8")


def _calmed(svg: str) -> str:
    """Return the picture that shows its end at once to people who prefer reduced motion."""
    end = re.findall(r"100\.000%(\{transform:[^}]*\})", svg)[-1]
    rule = f"#screen_view {{animation: none; {end[1:]}"
    calm = f"@media (prefers-reduced-motion: reduce) {{{rule}}}"
    return svg.replace("@keyframes roll", f"{calm}\n\n            @keyframes roll", 1)


def main() -> None:
    """Draw the pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--without-setup", action="store_true")
    parser.add_argument("folder", nargs="?", type=Path, default=PICTURES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        said = converse(folder, without_setup=arguments.without_setup)
        draw(generation(said), arguments.folder / "generation.svg")
        if not arguments.without_setup:
            draw(further_resource(add_a_resource(folder)), arguments.folder / "resource.svg")
    print(f"The pictures in {arguments.folder} are written.")


if __name__ == "__main__":
    main()
