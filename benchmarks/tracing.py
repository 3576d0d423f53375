"""The price of tracing: the service with each request traced and exported, and with tracing off."""

from benchmarks.http.compare import OPERATIONS, measure
from benchmarks.http.contenders import SERVICE, TRACED
from benchmarks.report import Row, Table


def table(database: str, *, rounds: int = 15, requests: int = 200) -> Table:
    """Return the CPU of a request with tracing as a ratio to that without."""
    cpu, _ = measure(database, (SERVICE, TRACED), rounds=rounds, requests=requests)
    rows = []
    for operation in OPERATIONS:
        off, on = f"{operation}/{SERVICE}", f"{operation}/{TRACED}"
        added = f"+{(cpu.median(on) - cpu.median(off)) * 1e6:.0f} us"
        rows.append(Row(operation, cpu.ratio(on, off), None, (added,)))
    return Table(
        f"Tracing, {database}",
        ("added",),
        rows,
        "on / off",
        "CPU a request with tracing on, with all spans made and exported by HTTP, against the same"
        " service with tracing off, as it is without a variable of OpenTelemetry.",
    )
