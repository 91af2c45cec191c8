"""Throughput: how many jobs ended in each minute.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014_throughput"
down_revision = "0013_admin_door"


def upgrade() -> None:
    op.create_table(
        "throughput",
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("completed", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "provider", "lane", name=op.f("pk_throughput")),
    )
