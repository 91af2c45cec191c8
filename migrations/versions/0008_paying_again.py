"""Paying again: what asking first saved, what may have been paid twice, and which failures are for good.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008_paying_again"
down_revision = "0007_files"

NAMES = ("read_back", "possibly_doubled")
STATES = ("queued", "submitting", "waiting", "completed", "failed", "cancelled")
OTHERS = (*STATES, "submits", "submitted_jobs", "cost_nano", "late", "repeats")
MAYBE_ANSWERED = "('waiting', 'unknown', 'completed', 'timed_out', 'cancelled', 'superseded')"

# One row beside those that are there: figures are sums.
PAID_AGAIN = f"""
    INSERT INTO batch_figures (batch_id, id, is_folded, {", ".join((*OTHERS, *NAMES))})
    SELECT batch_id, new_id, false, {", ".join("0" for _ in OTHERS)}, sum(read_back), sum(possibly_doubled) FROM (
        SELECT jobs.batch_id AS batch_id, 0 AS read_back, count(*) - count(DISTINCT jobs.id) AS possibly_doubled
        FROM attempts JOIN jobs ON jobs.id = attempts.job_id
        WHERE attempts.state IN {MAYBE_ANSWERED} GROUP BY jobs.batch_id
        UNION ALL
        SELECT batch_id, count(*), 0 FROM callbacks
        WHERE source = 'read_back' AND job_id IS NOT NULL GROUP BY batch_id
    ) AS counted GROUP BY batch_id HAVING sum(read_back) + sum(possibly_doubled) > 0
"""  # noqa: S608 - our own names


def upgrade() -> None:
    op.add_column("attempts", sa.Column("is_permanent", sa.Boolean(), nullable=True))
    for name in NAMES:
        op.add_column("batch_figures", sa.Column(name, sa.BigInteger(), nullable=True))
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if not is_sqlite:
        op.execute("SET LOCAL statement_timeout = 0")
    op.execute(PAID_AGAIN.replace("new_id", "lower(hex(randomblob(16)))" if is_sqlite else "gen_random_uuid()"))
