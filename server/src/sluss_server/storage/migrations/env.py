"""Runs the migrations on the connection that `storage.schema` hands over; there is no other way in.

> INVARIANT: the caller owns the transaction, so that a failed migration leaves the schema as it was.
"""

from __future__ import annotations

from alembic import context

from sluss_server.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
