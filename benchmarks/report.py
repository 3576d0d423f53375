"""The results of a benchmark: rows with bounds and verdicts, as a table for people."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One figure: the ratio to the floor of the same run, and its maximum.

    `details` are further columns for the reader; `bound` is None for a figure without a maximum.
    """

    name: str
    ratio: float
    bound: float | None = None
    details: tuple[str, ...] = ()
    unit: str = "x"

    @classmethod
    def from_cells(cls, cells: Sequence[str]) -> "Row":
        """Parse the result of `cells`."""
        name, *details, figure, bound, _ = cells
        ratio, unit = figure.split()
        limit = float(bound.split()[0]) if bound else None
        return cls(name, float(ratio), limit, tuple(details), unit)

    @property
    def verdict(self) -> str:
        """The verdict on the bound: `holds`, `BROKEN` or nothing."""
        if self.bound is None:
            return ""
        return "holds" if self.ratio <= self.bound else "BROKEN"

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as a table shows it."""
        bound = "" if self.bound is None else f"{self.bound:.2f} {self.unit}"
        return (self.name, *self.details, f"{self.ratio:.2f} {self.unit}", bound, self.verdict)


@dataclass(frozen=True)
class Table:
    """The rows of one benchmark."""

    title: str
    detail_names: tuple[str, ...]
    rows: Sequence[Row]
    figure_name: str = "ratio"
    remark: str = ""

    @property
    def broken(self) -> list[str]:
        """The names of the rows whose bounds are broken."""
        return [f"{self.title}: {row.name}" for row in self.rows if row.verdict == "BROKEN"]

    @property
    def _lines(self) -> list[tuple[str, ...]]:
        head = ("what", *self.detail_names, self.figure_name, "bound", "verdict")
        return [head, *(row.cells for row in self.rows)]

    def markdown(self) -> str:
        """Return the table in Markdown, under its title."""
        head, *rows = self._lines
        lines = [head, ("---", *("---:",) * (len(head) - 2), "---"), *rows]
        text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        remark = f"\n{self.remark}\n" if self.remark else ""
        return f"## {self.title}\n{remark}\n{text}\n"

    @classmethod
    def from_markdown(cls, text: str) -> "Table":
        """Parse the result of `markdown`."""
        title, *lines = [line for line in text.splitlines() if line]
        remark = [line for line in lines if not line.startswith("|")]
        head, _, *rows = [
            [cell.strip() for cell in line[1:-1].split("|")]
            for line in lines
            if line.startswith("|")
        ]
        _, *details, figure, _, _ = head
        return cls(
            title.removeprefix("## "),
            tuple(details),
            [Row.from_cells(cells) for cells in rows],
            figure,
            "\n".join(remark),
        )

    def text(self) -> str:
        """Return the table for a terminal."""
        widths = [max(len(cell) for cell in column) for column in zip(*self._lines, strict=True)]
        lines = []
        for cells in self._lines:
            first, *others = zip(cells, widths, strict=True)
            padded = [cell.rjust(width) for cell, width in others]
            lines.append("  ".join([first[0].ljust(first[1]), *padded]).rstrip())
        return "\n".join([self.title, *(f"  {line}" for line in lines), ""])


@dataclass
class Samples:
    """The figures of interleaved rounds, by name of the measurement."""

    of: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Add the figure of one round."""
        self.of.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        """Return the median of the rounds."""
        return median(self.of[name])

    def quartile(self, name: str) -> float:
        """Return the lower quartile of the samples."""
        return sorted(self.of[name])[len(self.of[name]) // 4]

    def least(self, name: str) -> float:
        """Return the minimum of the rounds."""
        return min(self.of[name])

    def difference(self, name: str, floor: str) -> float:
        """Return the median of the differences within each round."""
        pairs = zip(self.of[name], self.of[floor], strict=True)
        return median([value - below for value, below in pairs])

    def ratio(self, name: str, floor: str) -> float:
        """Return the median of the ratios of each round: a slow round slows both sides."""
        pairs = zip(self.of[name], self.of[floor], strict=True)
        return median([value / below for value, below in pairs])


def median(values: Sequence[float]) -> float:
    """Return the median of the values."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
