"""Orphans that are matched again, those that somebody discarded, and by how much each worker's clock is off.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004_orphans_and_clocks"
down_revision = "0003_brakes"

INDEXES = (
    ("ix_callbacks_orphans", "id", "outcome = 'orphan'"),
    ("ix_callbacks_rematch", "rematch_at", "rematch_at IS NOT NULL"),
)


def upgrade() -> None:
    op.add_column("worker_beats", sa.Column("clock_off_seconds", sa.Float(), nullable=True))
    op.add_column("callbacks", sa.Column("rematch_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("callbacks", sa.Column("discarded_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE callbacks SET rematch_at = received_at WHERE outcome = 'orphan'")
    for name, column, where in INDEXES:
        op.create_index(
            name, "callbacks", [column], unique=False, postgresql_where=sa.text(where), sqlite_where=sa.text(where)
        )
