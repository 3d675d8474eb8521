"""Checkpoints, state hashes, autopsies, and which run came from which."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("epochs_done", sa.Integer(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_checkpoint_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoint")),
        sa.UniqueConstraint("run_id", "name", name=op.f("uq_checkpoint_run_id_name")),
    )
    with op.batch_alter_table("checkpoint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_checkpoint_run_id"), ["run_id"], unique=False)
    op.add_column("epoch", sa.Column("state_hash", sa.String(length=64), nullable=True))
    # Added one by one and not in a batch: SQLite would copy the table, and forget never to give an id twice.
    op.add_column("run", sa.Column("autopsy", JSON, nullable=True))
    op.add_column("run", sa.Column("relation", sa.String(length=16), nullable=True))
    op.add_column("run", sa.Column("start_epoch", sa.Integer(), nullable=False, server_default="0"))
    parent = sa.Column("parent_id", sa.Integer(), nullable=True)
    if op.get_bind().dialect.name == "sqlite":
        op.execute("ALTER TABLE run ADD COLUMN parent_id INTEGER CONSTRAINT fk_run_parent_id REFERENCES run (id)")
    else:
        op.add_column("run", parent)
        op.create_foreign_key(op.f("fk_run_parent_id"), "run", "run", ["parent_id"], ["id"])
    op.create_index(op.f("ix_run_parent_id"), "run", ["parent_id"], unique=False)


def downgrade() -> None:
    # SQLite can't drop a column that refers to another row, and copying the table would take every epoch with it.
    raise NotImplementedError("There is no way back over this step: restore the copy that was made before the upgrade.")
