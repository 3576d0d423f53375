"""Makes {{ cookiecutter.__label_plural }} for tests."""

from decimal import Decimal

from factory.declarations import Sequence

from {{ cookiecutter.__package }}.resources.{{ cookiecutter.resource_plural }}.models import (
    {{ cookiecutter.__class }},
    {{ cookiecutter.__class }}Status,
)

from ...support.factories import ModelFactory


class {{ cookiecutter.__class }}Factory(ModelFactory[{{ cookiecutter.__class }}]):
    """One {{ cookiecutter.__label }}."""

    class Meta:
        model = {{ cookiecutter.__class }}

    code = Sequence(lambda number: f"code-{number}")
    name = Sequence(lambda number: f"name {number}")
    status = {{ cookiecutter.__class }}Status.DRAFT
    price = Decimal("9.99")
