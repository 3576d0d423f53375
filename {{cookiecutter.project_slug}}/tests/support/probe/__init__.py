"""A table, routes and rows of the kit's own tests, which touch no resource of the service."""

from .factories import ProbeFactory
from .models import Probe, ProbeBase, ProbeStatus
from .routes import api

PROBES = [api]

__all__ = ["PROBES", "Probe", "ProbeBase", "ProbeFactory", "ProbeStatus"]
