"""Executions in PostgreSQL, for any number of services at a time."""

from everstep.service.stores.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
