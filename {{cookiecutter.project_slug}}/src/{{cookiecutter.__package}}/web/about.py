"""Title, version, contact and license of the API, for its document."""

from flask_openapi import Contact, Info, License

INFO = Info(
    title={{ cookiecutter.project_name | python_string }},
    description={{ cookiecutter.description | python_string }},
    version="1",
    contact=Contact(
        name={{ cookiecutter.author_name | python_string }},
        email={{ cookiecutter.author_email | python_string }},
    ),
{% if cookiecutter.license == "Proprietary" %}
    license=License(name="Proprietary", identifier="LicenseRef-Proprietary"),
{% else %}
    license=License(name="{{ cookiecutter.license }}", identifier="{{ cookiecutter.license }}"),
{% endif %}
)
