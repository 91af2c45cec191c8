"""What of the settings a hold blames, as a fingerprint.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011_refused_settings"
down_revision = "0010_webhooks"


def upgrade() -> None:
    op.add_column("holds", sa.Column("fingerprint", sa.String(length=40), nullable=True))
