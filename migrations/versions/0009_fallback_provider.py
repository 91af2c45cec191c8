"""The provider that a batch falls back on.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009_fallback_provider"
down_revision = "0008_paying_again"


def upgrade() -> None:
    op.add_column("batches", sa.Column("fallback_provider", sa.String(length=64), nullable=True))
    where = sa.text("finalized_at IS NULL AND fallback_provider IS NOT NULL")
    op.create_index(
        "ix_batches_falling_back", "batches", ["fallback_provider"], postgresql_where=where, sqlite_where=where
    )
