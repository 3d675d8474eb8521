"""Alembic's entry. The engine is built here as everywhere, so that SQLite has its settings during a migration too."""

from alembic import context

import backend.db.side_models  # noqa: F401  (its tables belong to the same metadata)
from backend.db.engine import build_engine
from backend.db.models import Base

engine = build_engine(context.config.attributes["url"]).execution_options(lab_writes=True)
with engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
