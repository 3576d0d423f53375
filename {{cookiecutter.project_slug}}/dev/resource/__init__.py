"""The generator of resources: one grammar and one set of templates for the first and all others.

`render_resource` returns files and writes nothing; `python -m dev.resource` writes them.
"""

from .grammar import FieldError
from .render import (
    Context,
    Resource,
    SpecificationError,
    example_body,
    render_file,
    render_resource,
    specify,
)

__all__ = [
    "Context",
    "FieldError",
    "Resource",
    "SpecificationError",
    "example_body",
    "render_file",
    "render_resource",
    "specify",
]
