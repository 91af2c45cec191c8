"""Brakes: circuit breakers, budgets, and what part of the costs was in vain.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003_brakes"
down_revision = "0002_figures_and_removal"

IN_VAIN = ("late_nano", "duplicate_nano", "failed_nano")
STATES = ("queued", "submitting", "waiting", "completed", "failed", "cancelled")
OTHERS = (*STATES, "submits", "submitted_jobs", "cost_nano", "late", "repeats")
BUDGETED = sa.text("finalized_at IS NULL AND budget_nano IS NOT NULL")

# One row beside those that are there: figures are sums.
SPENT_IN_VAIN = f"""
    INSERT INTO batch_figures (batch_id, id, is_folded, {", ".join((*OTHERS, *IN_VAIN))})
    SELECT jobs.batch_id, new_id, false, {", ".join("0" for _ in OTHERS)},
        sum(CASE WHEN attempts.state <> 'failed' AND jobs.state <> 'completed' THEN cost_nano ELSE 0 END),
        sum(CASE WHEN attempts.state <> 'failed' AND jobs.state = 'completed' THEN cost_nano ELSE 0 END),
        sum(CASE WHEN attempts.state = 'failed' THEN cost_nano ELSE 0 END)
    FROM attempts JOIN jobs ON jobs.id = attempts.job_id
    WHERE attempts.cost_nano IS NOT NULL AND attempts.state <> 'completed' GROUP BY jobs.batch_id
"""  # noqa: S608 - our own names


def upgrade() -> None:
    op.create_table(
        "breakers",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("faults", sa.Integer(), nullable=False),
        sa.Column("trips", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_breakers")),
    )
    op.add_column("batches", sa.Column("budget_nano", sa.BigInteger(), nullable=True))
    op.create_index("ix_batches_budgeted", "batches", ["id"], postgresql_where=BUDGETED, sqlite_where=BUDGETED)
    for name in IN_VAIN:
        op.add_column("batch_figures", sa.Column(name, sa.BigInteger(), nullable=True))
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if not is_sqlite:
        op.execute("SET LOCAL statement_timeout = 0")
    op.execute(SPENT_IN_VAIN.replace("new_id", "lower(hex(randomblob(16)))" if is_sqlite else "gen_random_uuid()"))
