"""Applies what a document says: new files, diffs and commands, in order."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECTION = re.compile(r"^## (?P<title>[^\n]+)\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(
    r"^ *(?:`(?P<new>[^`\n]+)`:\n\n *)?```(?P<language>\w+)\n(?P<body>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of a document, and the file that it is about, if it names one."""

    file: str
    language: str
    text: str

    def apply(self, root: Path) -> None:
        """Write a new file, or apply a part of a diff, which has to match exactly once."""
        file = root / self.file
        if self.language != "diff":
            file.parent.mkdir(exist_ok=True)
            file.write_text(self.text, encoding="utf-8")
            return
        before, after = ("".join(self._lines(signs)) for signs in (" -", " +"))
        content = file.read_text(encoding="utf-8")
        found = f"\n{content}".count(f"\n{before}")
        assert found == 1, f"{found} places, not one, in {self.file} for:\n{self.text}"
        file.write_text(f"\n{content}".replace(f"\n{before}", f"\n{after}")[1:], encoding="utf-8")

    def _lines(self, signs: str) -> Iterator[str]:
        for line in self.text.splitlines(keepends=True):
            assert line[0] in " +-\n", line
            if line[0] in signs or line == "\n":
                yield line[1:] or line


def sections(document: str) -> dict[str, str]:
    """Return the text below each heading of the second level, by heading."""
    return {found["title"]: found["text"] for found in SECTION.finditer(document)}


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a text, in order."""
    for found in BLOCK.finditer(text):
        body = textwrap.dedent(found["body"])
        if found["language"] == "diff" and body.startswith("--- "):
            head, _, body = body.partition("\n")
            yield Block(head.removeprefix("--- "), "diff", body)
        else:
            yield Block(found["new"] or "", found["language"], body)
