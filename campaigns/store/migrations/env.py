"""Run by Alembic for each command, on the connection that `campaigns.store.database` opened."""

from alembic import context

from campaigns.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
