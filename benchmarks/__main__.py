"""Run the benchmarks and print their tables: `make bench`, or some: `make bench only="http"`.

The measured tables replace those in docs/benchmarks.md and its picture. The exit status is 1 if a
bound is broken.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from benchmarks import (
    generation,
    growth,
    imports,
    isolation,
    jobs,
    recipes,
    resource,
    session,
    set_up,
    tracing,
)
from benchmarks.http import compare
from benchmarks.page import merged, read, write
from benchmarks.report import Table

ENGINES = ("sqlite", "postgresql", "mariadb")

Benchmark = Callable[[], list[Table]]


def benchmarks(engine: str, *, quick: bool) -> dict[str, Benchmark]:
    """Return the benchmarks by name; `quick` ones only show that they run."""
    if quick:
        return {
            "http": lambda: [compare.table(engine, rounds=1, requests=8)],
            "tracing": lambda: [tracing.table(engine, rounds=1, requests=8)],
            "session": lambda: [session.table(engine, rounds=1, requests=2)],
            "isolation": lambda: [isolation.table(engine, rounds=1, tests=3, floor_tests=2)],
            "generation": lambda: [generation.table(rounds=1)],
            "imports": lambda: [imports.table(rounds=1)],
            "set-up": lambda: [set_up.table(rounds=1)],
            "resource": lambda: [resource.table(rounds=1, program=resource.QUICK)],
            "recipes": lambda: [recipes.table(engine, rounds=1, requests=2)],
            "growth": lambda: [growth.table(engine, rows=2_000, repeats=1)],
            "jobs": lambda: [jobs.table(engine, rounds=1, tasks=5)],
        }
    return {
        "http": lambda: [compare.table(engine)],
        "tracing": lambda: [tracing.table(engine)],
        "session": lambda: [session.table(engine)],
        "isolation": lambda: [isolation.table(name) for name in ENGINES],
        "generation": lambda: [generation.table()],
        "imports": lambda: [imports.table()],
        "set-up": lambda: [set_up.table()],
        "resource": lambda: [resource.table()],
        "recipes": lambda: [recipes.table(engine)],
        "growth": lambda: [growth.table(name) for name in ENGINES],
        "jobs": lambda: [jobs.table(name) for name in ENGINES],
    }


def main(arguments: Sequence[str]) -> int:
    """Run the selected benchmarks; return 1 if a bound is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, default="sqlite", help="for http and session")
    parser.add_argument("--quick", action="store_true", help="only see whether they work")
    parser.add_argument("only", nargs="*", help=", ".join(benchmarks("", quick=True)))
    options = parser.parse_args(arguments)
    chosen = benchmarks(options.engine, quick=options.quick)
    unknown = set(options.only) - set(chosen)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")

    tables = []
    for name in options.only or chosen:
        for table in chosen[name]():
            print(table.text(), flush=True)
            tables.append(table)
    if not options.quick and options.engine == ENGINES[0]:
        write(merged(read(), tables))
    broken = [row for table in tables for row in table.broken]
    if broken and not options.quick:
        print("These bounds do not hold:", *broken, sep="\n  ")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
