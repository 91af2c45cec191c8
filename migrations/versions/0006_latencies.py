"""Latencies: how long each provider's callbacks take, from which the callback time-out is learned.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006_latencies"
down_revision = "0005_callback_path"


def upgrade() -> None:
    op.create_table(
        "latencies",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("seen_id", sa.Uuid(), nullable=False),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued", sa.Integer(), nullable=False),
        sa.Column("busy_answers", sa.Float(), nullable=False),
        sa.Column("busy_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_latencies")),
    )
