"""Webhooks: endpoints, the outbox of events, their deliveries; and an event for each batch that has ended before.

A migration must suit the previous code: add now, remove in a later release. Never edit it once merged.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010_webhooks"
down_revision = "0009_fallback_provider"

INSTANT = sa.DateTime(timezone=True)
ENDS = "'batch.completed', 'batch.failed', 'batch.expired', 'batch.cancelled'"
TYPES = f"{ENDS}, 'batch.revised', 'batch.progress', 'batch.first_failure', 'batch.paused'"


PAST_ENDS = """
    INSERT INTO webhook_events (id, owner, type, batch_id, round, occasion, data, created_at)
    SELECT id, owner, CASE
            WHEN total = 0 THEN 'batch.failed'
            WHEN cancel_requested_at IS NOT NULL THEN 'batch.cancelled'
            WHEN finalized_at >= expires_at THEN 'batch.expired'
            ELSE 'batch.completed'
        END, id, round, '', '{}', finalized_at
    FROM batches WHERE finalized_at IS NOT NULL
"""


def upgrade() -> None:
    _make_endpoints()
    _make_events()
    _make_deliveries()
    op.add_column("batches", sa.Column("webhook_endpoint_id", sa.Uuid(), nullable=True))
    op.execute(PAST_ENDS)  # so that it can be asked for later; nobody is there yet to be sent it


def _make_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("event_types", sa.JSON(), nullable=False),
        sa.Column("of_named_batches", sa.Boolean(), nullable=False),
        sa.Column("secret", sa.String(length=200), nullable=False),
        sa.Column("old_secret", sa.String(length=200), nullable=True),
        sa.Column("old_secret_until", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.Column("failing_since", INSTANT, nullable=True),
        sa.Column("not_before", INSTANT, nullable=True),
        sa.Column("disabled_at", INSTANT, nullable=True),
        sa.Column("disabled_reason", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index("ix_webhook_endpoints_owner_id", "webhook_endpoints", ["owner", "id"])
    is_named = "of_named_batches AND removed_at IS NULL"
    _partial("uq_webhook_endpoints_named", "webhook_endpoints", ["owner", "url"], is_named, unique=True)


def _make_events() -> None:
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("occasion", sa.String(length=64), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("forget_at", INSTANT, nullable=True),
        sa.CheckConstraint(f"type IN ({TYPES})", name=op.f("ck_webhook_events_type")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint(
            "batch_id", "round", "type", "occasion", name=op.f("uq_webhook_events_batch_id_round_type_occasion")
        ),
    )
    op.create_index("ix_webhook_events_owner_created_at", "webhook_events", ["owner", "created_at"])
    _partial("uq_webhook_events_end", "webhook_events", ["batch_id", "round"], f"type IN ({ENDS})", unique=True)
    _partial("ix_webhook_events_forget", "webhook_events", ["forget_at"], "forget_at IS NOT NULL")


def _make_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "(state = 'pending') = (due_at IS NOT NULL)", name=op.f("ck_webhook_deliveries_pending_is_due")
        ),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=op.f("ck_webhook_deliveries_state")),
        sa.ForeignKeyConstraint(["event_id"], ["webhook_events.id"], name=op.f("fk_webhook_deliveries_event_id")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_deliveries_endpoint_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("event_id", "endpoint_id", name=op.f("uq_webhook_deliveries_event_id_endpoint_id")),
    )
    op.create_index("ix_webhook_deliveries_endpoint_id_id", "webhook_deliveries", ["endpoint_id", "id"])
    _partial("ix_webhook_deliveries_due", "webhook_deliveries", ["due_at"], "state = 'pending'")
    op.create_table(
        "webhook_tries",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.Column("request_head", sa.Text(), nullable=True),
        sa.Column("response_head", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["webhook_deliveries.id"], name=op.f("fk_webhook_tries_delivery_id")),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_webhook_tries")),
    )


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
