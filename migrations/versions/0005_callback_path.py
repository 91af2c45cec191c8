"""Whether a provider's answers can reach us: the last echo, when to ask again, since when we listen.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_callback_path"
down_revision = "0004_orphans_and_clocks"


def upgrade() -> None:
    op.add_column("limits", sa.Column("echoed_url", sa.Text(), nullable=True))
    op.add_column("limits", sa.Column("echoed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("limits", sa.Column("echo_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("limits", sa.Column("listening_since", sa.DateTime(timezone=True), nullable=True))
