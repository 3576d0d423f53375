"""A connection of PyMySQL whose limits can change while it is open."""

from typing import TYPE_CHECKING

import pymysql

if TYPE_CHECKING:  # generic for the type checker only
    PyMySQLConnection = pymysql.Connection[pymysql.cursors.Cursor]
else:
    PyMySQLConnection = pymysql.Connection


class TimeLimitedConnection(PyMySQLConnection):
    """A connection whose reads and writes have the limit that `set_time_limit` sets.

    PyMySQL 1.2 has no public way to change the limits of a connection that exists.
    """

    def set_time_limit(self, seconds: float) -> None:
        """Limit every wait for the server; one that takes longer ends the connection."""
        self._read_timeout = self._write_timeout = seconds
