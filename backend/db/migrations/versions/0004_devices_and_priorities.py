"""Devices that runs hold, workers that drain, and an order of the queue that users can change."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["worker_id"], ["worker.id"], name=op.f("fk_device_worker_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_device_run_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("worker_id", "kind", "number", name=op.f("uq_device_worker_id_kind_number")),
    )
    op.create_index(op.f("ix_device_run_id"), "device", ["run_id"], unique=False)
    # Added one by one and not in a batch: SQLite would copy the table, and forget never to give an id twice.
    op.add_column("worker", sa.Column("draining", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("worker", sa.Column("memory_bytes", sa.BigInteger(), nullable=True))
    op.add_column("worker", sa.Column("children_bytes", sa.BigInteger(), nullable=True))
    op.add_column("run", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("run", sa.Column("queue_order", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    for name in ("queue_order", "priority"):
        op.drop_column("run", name)
    for name in ("children_bytes", "memory_bytes", "draining"):
        op.drop_column("worker", name)
    op.drop_table("device")
