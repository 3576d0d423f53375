"""Yours: the rows that `make seed` adds to the development database."""

from sqlalchemy.orm import Session


def seed(session: Session) -> None:
    """Add the rows that are missing; `make seed` commits them, and can run again at any time."""
    # With a resource that has a unique name, for example:
    #
    # for name in ("Ada", "Grace"):
    #     if session.scalar(select(Customer).where(Customer.name == name)) is None:
    #         session.add(Customer(name=name))
