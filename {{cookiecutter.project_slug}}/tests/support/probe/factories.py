"""Makes probes for tests."""

from decimal import Decimal

from factory.declarations import Sequence

from ..factories import ModelFactory
from .models import Probe, ProbeStatus


class ProbeFactory(ModelFactory[Probe]):
    """A probe."""

    class Meta:
        model = Probe

    code = Sequence(lambda number: f"code-{number}")
    name = Sequence(lambda number: f"name {number}")
    status = ProbeStatus.DRAFT
    price = Decimal("9.99")
