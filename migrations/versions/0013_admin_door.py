"""Scopes and last use of API keys, and what the pages of audit and webhooks page by.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013_admin_door"
down_revision = "0012_job_lists"

DELIVERIES = (
    ("ix_webhook_deliveries_pending", ["endpoint_id", "due_at"], "state = 'pending'"),
    ("ix_webhook_deliveries_failed", ["endpoint_id", "id"], "state = 'failed'"),
)


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("scopes", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("api_keys", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    for column in ("actor", "action", "subject"):
        op.create_index(f"ix_audit_events_{column}_id", "audit_events", [column, "id"])
    op.drop_index("ix_audit_events_subject", "audit_events")  # the first column of another does as well
    for name, columns, where in DELIVERIES:
        op.create_index(
            name, "webhook_deliveries", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where)
        )
