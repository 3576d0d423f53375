"""Draws docs/images/generation.svg: the terminal of a person who generates a service.

    python tools/make_recording.py [--without-setup] [picture]

Everything in the picture was printed by a real generation. Only the pauses are made up, seconds are
rounded, and the recorded address of the template is that of the command, so that pictures of the
same template differ only in a few durations.
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
PICTURE = TEMPLATE / "docs" / "images" / "generation.svg"
COLUMNS, ROWS = 104, 30

# The path of the template in the README, and the answers; all other prompts get Enter.
PLACE = "path/to/this/repository"
ANSWERS = {
    "project_name": "Library",
    "description": "Which books there are, and who has them.",
    "resource": "book",
}

COLOUR = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
WAITING = re.compile(r"\[(\d+)/\d+\] .*\): $", re.DOTALL)
TENTHS = re.compile(r"( +)(\d+\.\d) s\b")
RECORDED = re.compile(r"(?<=  cookiecutter )\S+(?: --checkout \w+)?(?= --no-input)")
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


def converse(*, without_setup: bool) -> list[tuple[str, str]]:
    """Generate a service; return the output before each answer, with the answer."""
    asked = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    names = [name for name in asked if not name.startswith("_")]
    answers = {**ANSWERS, "setup": "2"} if without_setup else ANSWERS
    with tempfile.TemporaryDirectory() as folder:
        (place := Path(folder, PLACE)).parent.mkdir(parents=True)
        place.symlink_to(TEMPLATE)
        process, terminal = pty.fork()
        if process == 0:
            _generate(folder)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        said, printed = [], ""
        for piece in _pieces(terminal):
            printed += piece
            if asking := WAITING.search(COLOUR.sub("", printed)):
                answer = answers.get(names[int(asking[1]) - 1], "")
                os.write(terminal, f"{answer}\n".encode())
                said.append((printed, answer))
                printed = ""
        said.append((printed, ""))
        if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) != 0 or folder in printed:
            sys.exit(f"The generation failed, or shows its folder:\n{printed}")
    return said


def _generate(folder: str) -> None:
    """Replace this process by cookiecutter in `folder`, with only the programs of this machine."""
    os.chdir(folder)
    python = Path(sys.executable).parent
    home = {"HOME": folder, "PWD": folder, "PATH": f"{python}{os.pathsep}{os.environ['PATH']}"}
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    shape = {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
    os.execvpe("cookiecutter", ["cookiecutter", PLACE], {**kept, **home, **shape})  # noqa: S606


def _pieces(terminal: int) -> Iterator[str]:
    while True:
        try:
            yield os.read(terminal, 65536).decode()
        except OSError:  # a terminal reports its end by this error
            return


def scenes(said: list[tuple[str, str]]) -> Iterator[Shown]:
    """Yield the texts in order."""
    yield Shown(f"$ cookiecutter {PLACE}", SECONDS_TO_READ)
    yield Shown("\r\n", 0)
    *questions, (rest, _) = said
    typed = ""
    for printed, answer in questions:
        yield Shown(printed.removeprefix(typed), SECONDS_TO_READ)
        yield Shown(answer, SECONDS_TO_TYPE if answer else 0)
        typed = answer
    rest = PATCH_RELEASE.sub(r"\1", TENTHS.sub(_rounded, rest.removeprefix(typed)))
    rest = RECORDED.sub(PLACE, rest)
    for line, following in itertools.pairwise([*LINE.split(rest), ""]):
        # Only the last frame of a spinner, which the end of its step replaces.
        if not re.match(r"  [|/\\-] ", line):
            yield Shown(f"{line}\r\n", 0)
        elif following.startswith(("  + ", "  x ")):
            yield Shown(f"{line}\r", SECONDS_OF_A_STEP)
    yield Shown("$ ", SECONDS_AT_THE_END)


def _rounded(found: re.Match[str]) -> str:
    space, seconds = found.groups()
    rounded = f"{float(seconds):.0f}"
    if len(space) > 1:  # in a column
        space += " " * (len(seconds) - len(rounded))
    return f"{space}{rounded} s"


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
    """Draw the picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--without-setup", action="store_true")
    parser.add_argument("picture", nargs="?", type=Path, default=PICTURE)
    arguments = parser.parse_args()
    draw(scenes(converse(without_setup=arguments.without_setup)), arguments.picture)
    print(f"{arguments.picture} is written.")


if __name__ == "__main__":
    main()
