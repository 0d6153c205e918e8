"""Lends database connections, so that nobody holds one while bytes flow."""

from django.db import connection


def lend_connection() -> None:
    """Return this thread's connection to the pool; the next query takes one again.

    Does nothing without a pool, or inside a transaction.
    """
    pooled = "pool" in connection.settings_dict.get("OPTIONS", {})
    if pooled and not connection.in_atomic_block:
        connection.close()
