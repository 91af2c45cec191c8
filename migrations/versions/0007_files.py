"""Files: what was uploaded, in pieces; what a batch remembers of them.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_files"
down_revision = "0006_latencies"


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("filename", sa.String(length=512), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
    )
    op.create_index("ix_files_owner_id", "files", ["owner", "id"])
    _partial("ix_files_expiring", "expires_at", "removed_at IS NULL AND expires_at IS NOT NULL")
    _partial("ix_files_unfinished", "created_at", "removed_at IS NULL AND bytes IS NULL")
    _partial("ix_files_removed", "id", "removed_at IS NOT NULL")
    op.create_table(
        "file_pieces",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_file_pieces_file_id")),
        sa.PrimaryKeyConstraint("file_id", "number", name=op.f("pk_file_pieces")),
    )
    op.add_column("batches", sa.Column("input_file_id", sa.String(length=200), nullable=True))
    op.add_column("batches", sa.Column("files_lifetime_seconds", sa.Integer(), nullable=True))
    op.add_column("batches", sa.Column("output_deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("batches", sa.Column("errors_deleted_at", sa.DateTime(timezone=True), nullable=True))


def _partial(name: str, column: str, where: str) -> None:
    op.create_index(name, "files", [column], postgresql_where=sa.text(where), sqlite_where=sa.text(where))
