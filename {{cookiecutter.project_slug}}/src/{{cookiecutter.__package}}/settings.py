"""The settings of this service: add your own as fields of this class.

Those of the kit are in base_settings.py; `.env.example` explains each.
"""

from .base_settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings of one application; each is an environment variable of the same name."""
