"""Workers that rest after losses, attempts that were nobody's fault, and names of workers that outlive their rows."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("barren_losses", "barren_runs"):
        op.add_column("worker", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("worker", sa.Column("last_lost_run_id", sa.Integer(), nullable=True))
    op.add_column("worker", sa.Column("rests_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("worker", sa.Column("rest_reason", sa.Text(), nullable=True))
    op.add_column("run", sa.Column("blameless_attempts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("run", sa.Column("worker_name", sa.String(length=200), nullable=True))
    op.execute("UPDATE run SET worker_name = (SELECT worker.name FROM worker WHERE worker.id = run.worker_id)")


def downgrade() -> None:
    for name in ("worker_name", "blameless_attempts"):
        op.drop_column("run", name)
    for name in ("rest_reason", "rests_until", "last_lost_run_id", "barren_runs", "barren_losses"):
        op.drop_column("worker", name)
