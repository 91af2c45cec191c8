"""Whether anything was lost: the provider's ledger and the database have to tell the same story."""

from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.counterpart import Entry


class Submit(NamedTuple):
    """One submit as the database has it; `job` is what the provider was told as metadata."""

    task_id: str | None
    job: str
    state: str
    text: str | None
    callbacks: int


def complaints(books: Sequence[Submit], ledger: Sequence[Entry], jobs: int) -> list[str]:
    """What is wrong, in words, after so many jobs should have been completed exactly once; empty if nothing is.

    The ledger holds no warm-up, the books may: submits that are in no entry are left out.
    """
    sold = {entry.task_id: entry for entry in ledger}
    known = [(sold[submit.task_id], submit) for submit in books if submit.task_id in sold]
    checks = {
        "submits that the provider accepted": len(sold),
        "of them in the database": len(known),
        "different tasks among those": len({submit.task_id for _, submit in known}),
        "different jobs": len({submit.job for _, submit in known}),
        "known to the provider by the same name": sum(entry.metadata == submit.job for entry, submit in known),
        "callbacks answered 200": sum(entry.status == 200 for entry in ledger),
        "with the result that was sent": sum((submit.text or "").startswith(entry.task_id) for entry, submit in known),
        "with one applied callback": sum(submit.callbacks == 1 for _, submit in known),
        "completed": sum(submit.state == "completed" for _, submit in known),
    }
    return [f"{number} of {jobs}: {what}" for what, number in checks.items() if number != jobs]
