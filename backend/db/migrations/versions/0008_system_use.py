"""What runs take of their machines, and what measuring beside the training takes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    op.create_table(
        "system_point",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("cpu_cores", sa.Double(), nullable=False),
        sa.Column("cpu_cores_max", sa.Double(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("memory_max_bytes", sa.BigInteger(), nullable=False),
        sa.Column("host_free_bytes", sa.BigInteger(), nullable=False),
        sa.Column("gpus", _JSON, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_system_point_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "attempt", "number", name=op.f("pk_system_point")),
    )
    # Added one by one and not in a batch: SQLite would copy the table, and forget never to give an id twice.
    op.add_column("run", sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True))
    op.add_column("run", sa.Column("measuring_seconds", _JSON, nullable=True))
    op.add_column("epoch", sa.Column("measuring_seconds", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("epoch", "measuring_seconds")
    for name in ("measuring_seconds", "peak_memory_bytes"):
        op.drop_column("run", name)
    op.drop_table("system_point")
