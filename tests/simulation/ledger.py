"""The ledger: what the client was promised, what the provider was sent and billed, and what it was told 200 for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.config import Settings
from app.ids import read
from app.providers.base import Submission
from app.tokens import CallbackSubject


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One task that the provider accepted, and bills. `was_denied`: it answered that it had not accepted it."""

    number: int
    subject: CallbackSubject
    submission: Submission
    was_denied: bool = False

    @property
    def id(self) -> str:
        return f"task-{self.number}"

    @property
    def attempt_id(self) -> UUID:
        return self.subject.attempt_id

    @property
    def job_id(self) -> UUID:
        return read("job", self.submission.metadata)

    @property
    def text(self) -> str:
        """Its answer, which no other task gives."""
        return f"{self.submission.text_data}, says {self.id}"

    @property
    def charge(self) -> str:
        """Its price, which no other task has."""
        return f"0.{self.number:06}"

    @property
    def cost_nano(self) -> int:
        return self.number * 1000


@dataclass(frozen=True, slots=True)
class Told:
    """A body, and whether it is an answer that contradicts nothing."""

    task: Task
    sha256: str
    is_answer: bool


@dataclass
class Ledger:
    """One history, seen from outside."""

    settings: Settings
    promised: dict[UUID, Sequence[str]] = field(default_factory=dict)
    """The prompts of each batch that the client was told is stored."""
    posts: list[tuple[UUID, datetime]] = field(default_factory=list)
    """The attempts that were sent, and when."""
    tasks: dict[str, Task] = field(default_factory=dict)
    forgotten: dict[str, Task] = field(default_factory=dict)
    """Tasks of submits that the database knows nothing of."""
    matched: set[UUID] = field(default_factory=set)
    """The attempts of those that an operator has found the jobs of."""
    told: Counter[Told] = field(default_factory=Counter)
    """How often each body was answered with 200."""
    cancelled: set[UUID] = field(default_factory=set)
    retried: set[UUID] = field(default_factory=set)
    removed: set[UUID] = field(default_factory=set)
    """Batches for which their owner asked for this, whatever came of it."""
    stopped: dict[UUID, dict[UUID, int] | None] = field(default_factory=dict)
    """Batches whose cancel was confirmed: the last attempt's number of each job, once it was looked at."""
    answers: dict[UUID, tuple[UUID, str]] = field(default_factory=dict)
    """The attempt and the text of each job's answer, when it was first seen."""
    tolerance_seconds: float = 0.0
    """How far the watches may be apart that the times of a job were read from."""

    def posted(self, attempt_id: UUID, now: datetime) -> None:
        """A submit has left."""
        self.posts.append((attempt_id, now))

    def accept(self, subject: CallbackSubject, submission: Submission, *, was_denied: bool) -> Task:
        """The provider takes a task."""
        task = Task(self._next, subject, submission, was_denied)
        self.tasks[task.id] = task
        return task

    def forget(self, subject: CallbackSubject, submission: Submission) -> Task:
        """The provider has taken a task, and nobody here knows of it any more."""
        task = Task(self._next, subject, submission)
        self.forgotten[task.id] = task
        return task

    def remember(self, task: Task) -> None:
        """From now on it counts like any other. Its job may have been cancelled: it is one attempt on."""
        self.tasks[task.id] = self.forgotten.pop(task.id)
        self.matched.add(task.attempt_id)
        if task.subject.batch_id in self.stopped:
            self.stopped[task.subject.batch_id] = None

    @property
    def _next(self) -> int:
        return len(self.tasks) + len(self.forgotten) + 1
