from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, MetaData, select

from backend.contract import RunStatus, TrainConfig
from backend.db import checkpoints, epochs, events, migrate, runs
from backend.db.engine import Database, build_engine
from backend.db.models import Base
from tests.builders import add_run

REVISIONS = [script.revision for script in ScriptDirectory.from_config(migrate.alembic_config("")).walk_revisions()][
    ::-1
]
AT = datetime(2026, 11, 25, 12, tzinfo=UTC)

# What stands in the columns that can't hold just anything, of the rows that an older version has left behind.
VALUES: dict[str, Any] = {
    "status": "running",
    "config": TrainConfig(width=3).model_dump(mode="json"),
    "tags": ["paper"],
    "environment": {"tensorflow": "2"},
    "progress": {"phase": "training", "epoch": 0, "batch": 1, "batches": 2, "images_per_second": 1.0, "note": None},
    "non_finite": {"train_cost": "NaN"},
    "kind": "created",
    "from_status": None,
    "to_status": "queued",
    "deleted_at": None,
    "parent_id": None,
    "relation": None,
    "start_epoch": 0,
    "number": 0,
    "epochs_done": 1,
    "attempt": 1,
}


def fill(engine: Engine) -> dict[str, dict[str, Any]]:
    """Put a row into each table that has none, whatever its columns are; the rows by table."""
    metadata = MetaData()
    metadata.reflect(engine)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            if connection.execute(select(table)).first() is None:
                # An id comes from the table's own counter, which is to go on after it.
                row = {column.name: value_for(column) for column in table.columns if column.name != "id"}
                connection.execute(table.insert().values(row))
        connection.execute(metadata.tables["stream_position"].update().values(value=1))
    return contents(engine, list(metadata.tables))


def value_for(column: Column[Any]) -> Any:
    """A plausible value: every key is 1, and so refers to the one row of its table."""
    if column.name in VALUES:
        return VALUES[column.name]
    kind = column.type.python_type if column.name != "autopsy" else dict
    made: dict[type, Any] = {int: 1, str: f"{column.name}"[:8], float: 0.5, datetime: AT, bool: True, bytes: b"\0" * 8}
    return made.get(kind, {})


def contents(engine: Engine, tables: list[str]) -> dict[str, dict[str, Any]]:
    """The first row of each table."""
    metadata = MetaData()
    metadata.reflect(engine, only=[table for table in tables if table != "alembic_version"])
    with engine.connect() as connection:
        return {name: dict(connection.execute(select(table)).one()._mapping) for name, table in metadata.tables.items()}


class TestMigrations:
    def test_give_the_tables_of_the_models(self, database: Database) -> None:
        """A migrated database and the models differ in nothing that Alembic can see."""
        assert migrate.is_current(database.url)
        engine = build_engine(database.url)
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        engine.dispose()

    def test_can_be_run_again(self, database: Database) -> None:
        """Migrating what is up to date changes nothing."""
        run_id = add_run(database)
        migrate.upgrade(database.url)
        with database.read() as session:
            assert runs.load(session, run_id).id == run_id

    @pytest.mark.parametrize("revision", REVISIONS[:-1])
    def test_keep_the_rows_of_every_earlier_version(self, empty_url: str, revision: str) -> None:
        """From each earlier form of the tables, with rows in all of them, the newest is reached, and no value lost."""
        migrate.upgrade(empty_url, revision)
        engine = build_engine(empty_url).execution_options(lab_writes=True)
        before = fill(engine)
        migrate.upgrade(empty_url)
        after = contents(engine, list(before))
        for name, row in before.items():
            assert {key: after[name][key] for key in row} == row, name
        engine.dispose()
        database = Database(empty_url)
        try:
            with database.read() as session:
                run = runs.load(session, 1)
                assert (run.status, run.created_at, run.tags) == (RunStatus.RUNNING, AT, ["paper"])
                assert run.worker_name == before["run"].get("worker_name", "name")
                assert TrainConfig.model_validate(run.config).width == 3
                assert [row.non_finite for row in epochs.after(session, 1, -1)] == [{"train_cost": "NaN"}]
                assert [event.kind for event in events.of_run(session, 1)] == ["created"]
                assert len(checkpoints.newest_first(session, 1)) <= 1
            # New rows take their places beside the old ones.
            assert add_run(database) == 2
        finally:
            database.close()
