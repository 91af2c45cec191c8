"""The order of open batches, for the list of those alone.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017_open_batches"
down_revision = "0016_callback_lists"

OPEN = sa.text("finalized_at IS NULL")


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute("SET LOCAL statement_timeout = 0")
    op.create_index("ix_batches_open_id", "batches", ["id"], postgresql_where=OPEN, sqlite_where=OPEN)
