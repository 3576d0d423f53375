"""The blueprint of a resource: routes under `/api/v1/<name>`, whose requests are validated."""

from flask_openapi import APIBlueprint, Tag

from .validation import validate_request


def resource_blueprint(name: str, *, version: int = 1) -> APIBlueprint:
    """Make the blueprint of a resource; add it to the list in `resources/__init__.py`.

    That of a later version is called `<name>_v<version>`, as are its scopes and its tag.
    """
    versioned = name if version == 1 else f"{name}_v{version}"
    blueprint = APIBlueprint(
        versioned,
        __name__,
        url_prefix=f"/api/v{version}/{name}",
        abp_tags=[Tag(name=versioned, description=f"Operations on {versioned.replace('_', ' ')}.")],
        operation_id_callback=_operation_id,
    )
    blueprint.before_request(validate_request)
    return blueprint


def _operation_id(*, bp_name: str, name: str, **_rule: str) -> str:
    return f"{bp_name}_{name}"
