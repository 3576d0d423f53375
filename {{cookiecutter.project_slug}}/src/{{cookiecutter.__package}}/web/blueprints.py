"""The blueprint of a resource: routes under `/api/v1/<name>`, whose requests are validated."""

from flask_openapi import APIBlueprint, Tag

from .validation import validate_request

PREFIX = "/api/v1"


def resource_blueprint(name: str) -> APIBlueprint:
    """Make the blueprint of a resource; add it to the list in `resources/__init__.py`."""
    blueprint = APIBlueprint(
        name,
        __name__,
        url_prefix=f"{PREFIX}/{name}",
        abp_tags=[Tag(name=name)],
        operation_id_callback=_operation_id,
    )
    blueprint.before_request(validate_request)
    return blueprint


def _operation_id(*, bp_name: str, name: str, **_rule: str) -> str:
    return f"{bp_name}_{name}"
