"""What is measured beside the training, work on data sets, and how fast a host computes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "layer_stat",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("epochs_done", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("layer", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("tape_error", sa.Double(), nullable=True),
        sa.Column("difference_error", sa.Double(), nullable=True),
        sa.Column("gradient_norm", sa.Double(), nullable=True),
        sa.Column("own_error", sa.Double(), nullable=True),
        sa.Column("own_cosine", sa.Double(), nullable=True),
        sa.Column("own_norm_ratio", sa.Double(), nullable=True),
        sa.Column("has_update", sa.Boolean(), nullable=False),
        sa.Column("update_error", sa.Double(), nullable=True),
        sa.Column("update_cosine", sa.Double(), nullable=True),
        sa.Column("update_norm_ratio", sa.Double(), nullable=True),
        sa.Column("weight_norm", sa.Double(), nullable=True),
        sa.Column("update_ratio", sa.Double(), nullable=True),
        sa.Column("vmax_active", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_layer_stat_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "epochs_done", "layer", name=op.f("pk_layer_stat")),
    )
    op.create_table(
        "attack_result",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("epochs_done", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attack", sa.String(length=16), nullable=False),
        sa.Column("epsilon", sa.Double(), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=True),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_attack_result_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "epochs_done", "attack", "epsilon", name=op.f("pk_attack_result")),
    )
    op.create_table(
        "artifact",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("epochs_done", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_artifact_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "kind", "epochs_done", name=op.f("pk_artifact")),
    )
    op.create_table(
        "dataset_job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("dataset", sa.String(length=32), nullable=False),
        sa.Column("arguments", JSON, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("progress", JSON, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result", JSON, nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_job")),
        sa.UniqueConstraint("key", name=op.f("uq_dataset_job_key")),
    )
    op.create_index(op.f("ix_dataset_job_dataset"), "dataset_job", ["dataset"], unique=False)
    op.create_index(op.f("ix_dataset_job_state"), "dataset_job", ["state"], unique=False)
    op.create_table(
        "calibration",
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("network", sa.String(length=16), nullable=False),
        sa.Column("precision", sa.String(length=16), nullable=False),
        sa.Column("threads", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("width", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("multiply_adds_per_second", sa.Double(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("host", "network", "precision", "threads", "width", name=op.f("pk_calibration")),
    )
    op.add_column("run", sa.Column("audit_verdict", sa.String(length=16), nullable=True))


def downgrade() -> None:
    op.drop_column("run", "audit_verdict")
    for table in ("calibration", "dataset_job", "artifact", "attack_result", "layer_stat"):
        op.drop_table(table)
