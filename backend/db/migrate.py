from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from backend.db.engine import build_engine

MIGRATIONS = Path(__file__).with_name("migrations")


def alembic_config(url: str) -> Config:
    """Alembic's configuration for a database, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


def upgrade(url: str, to: str = "head") -> None:
    """Bring a database, also an empty one, to the newest form of the tables, or to one on the way there."""
    command.upgrade(alembic_config(url), to)


def is_current(url: str) -> bool:
    """Whether the database has the newest form of the tables."""
    return revision(url) == ScriptDirectory.from_config(alembic_config(url)).get_current_head()


def revision(url: str) -> str | None:
    """Which form of the tables the database has; None for an empty one."""
    engine = build_engine(url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
