"""What Alembic runs: always online, on the connection that it is given."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from app.db import UtcDateTime
from app.models import metadata


def _render(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Migrations are history: they must not follow a type of ours that changes later."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
