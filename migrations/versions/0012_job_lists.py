"""The order in which jobs ended, and in which those failed that have an error code, for the lists over all batches.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012_job_lists"
down_revision = "0011_refused_settings"

INDEXES = (
    ("ix_jobs_ended", ["state", "finished_at", "id"], "finished_at IS NOT NULL"),
    ("ix_jobs_failed", ["error_code", "finished_at", "id"], "state = 'failed'"),
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute("SET LOCAL statement_timeout = 0")
    for name, columns, where in INDEXES:
        op.create_index(name, "jobs", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
