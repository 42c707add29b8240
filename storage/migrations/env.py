"""What Alembic runs: the revisions, on the connection that empathy_r1.storage.migrate hands over."""

from alembic import context

from empathy_r1.storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=True,
)
context.run_migrations()
