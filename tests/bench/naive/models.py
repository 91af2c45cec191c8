"""Its two tables, and a session with pooled connections."""

import os
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, String, Text, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, sessionmaker


class Base(DeclarativeBase):
    """What the tables share."""


def _now() -> datetime:
    return datetime.now(UTC)


class Batch(Base):
    """Jobs that came together."""

    __tablename__ = "batches"

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=_now)
    jobs: Mapped[list["Job"]] = relationship(back_populates="batch")


class Job(Base):
    """One prompt, its state and its result."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"), index=True)
    batch: Mapped[Batch] = relationship(back_populates="jobs")
    custom_id: Mapped[str] = mapped_column(String(255))
    text_data: Mapped[str] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    status: Mapped[str] = mapped_column(String(20), default="queued", index=True)
    task_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    result: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=_now)
    submitted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


engine = create_engine(os.environ["NAIVE_DATABASE_URL"], pool_size=32)
Session = sessionmaker(engine)
