"""The database: `Base` for models, and `db`, whose session is bound to the Flask context."""

from .session import Base, db

__all__ = ["Base", "db"]
