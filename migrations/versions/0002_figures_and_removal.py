"""Figures of batches that are kept instead of counted, and batches that are removed in chunks.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_figures_and_removal"
down_revision = "0001_initial"

STATES = ("queued", "submitting", "waiting", "completed", "failed", "cancelled")
OTHERS = ("submits", "submitted_jobs", "cost_nano", "late", "repeats")

COUNTED = f"""
    INSERT INTO batch_figures (batch_id, id, is_folded, {", ".join((*STATES, *OTHERS))})
    SELECT b.id, b.id, b.finalized_at IS NOT NULL, {", ".join(f"coalesce(j.{state}, 0)" for state in STATES)},
        coalesce(a.submits, 0), coalesce(a.submitted_jobs, 0), coalesce(a.cost_nano, 0),
        coalesce(c.late, 0), coalesce(c.repeats, 0)
    FROM batches b
    LEFT JOIN (
        SELECT batch_id, {", ".join(f"count(*) FILTER (WHERE state = '{state}') AS {state}" for state in STATES)}
        FROM jobs GROUP BY batch_id
    ) j ON j.batch_id = b.id
    LEFT JOIN (
        SELECT jobs.batch_id, count(*) FILTER (WHERE attempts.state <> 'refused') AS submits,
            count(DISTINCT attempts.job_id) FILTER (WHERE attempts.state <> 'refused') AS submitted_jobs,
            sum(attempts.cost_nano) AS cost_nano
        FROM attempts JOIN jobs ON jobs.id = attempts.job_id GROUP BY jobs.batch_id
    ) a ON a.batch_id = b.id
    LEFT JOIN (
        SELECT batch_id, count(*) FILTER (WHERE outcome = 'late') AS late, sum(times - 1) AS repeats
        FROM callbacks WHERE job_id IS NOT NULL GROUP BY batch_id
    ) c ON c.batch_id = b.id
"""  # noqa: S608 - our own names


INDEXES = (
    ("ix_batches_cancelling", "id", "finalized_at IS NULL AND cancel_requested_at IS NOT NULL"),
    ("ix_batches_finished", "finalized_at", "removed_at IS NULL"),
    ("ix_batches_removed", "id", "removed_at IS NOT NULL"),
)


def upgrade() -> None:
    op.add_column("batches", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    for name, column, where in INDEXES:
        _add_index(name, "batches", column, where)
    _keep_figures()


def _add_index(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], unique=False, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def _keep_figures() -> None:
    op.create_table(
        "batch_figures",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("is_folded", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in (*STATES, *OTHERS)),
        sa.PrimaryKeyConstraint("batch_id", "id", name=op.f("pk_batch_figures")),
    )
    _add_index("ix_batch_figures_not_folded", "batch_figures", "batch_id", "NOT is_folded")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL statement_timeout = 0")
    op.execute(COUNTED)
