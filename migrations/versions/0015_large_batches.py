"""Large batches: what of one is open is found by its alarm; what its answers took is kept.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015_large_batches"
down_revision = "0014_throughput"

OPEN = "state IN ('queued', 'submitting', 'waiting')"
TOKENS = ("told", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


def upgrade() -> None:
    op.add_column("batches", sa.Column("models", sa.JSON(none_as_null=True), nullable=True))
    for name in TOKENS:
        op.add_column("batch_figures", sa.Column(name, sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name != "sqlite":
        op.execute("SET LOCAL statement_timeout = 0")
    op.drop_index("ix_jobs_open", "jobs")  # of the batch alone, which is the first column of the new one
    _add_index("ix_jobs_open", "jobs", ["batch_id", "state", "suspect", "due_at"], OPEN)
    _add_index("ix_callbacks_unproven", "callbacks", ["batch_id", "sha256"], "source = 'unauthenticated'")


def _add_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
