"""Whether anything was lost: the provider's ledger and the database have to tell the same story."""

from collections.abc import Sequence

from tests.bench.counterpart import Entry
from tests.bench.designs import Design


def complaints(design: Design, ledger: Sequence[Entry], jobs: int) -> list[str]:
    """What is wrong, in words, after so many jobs should have been completed exactly once; empty if nothing is.

    The ledger holds no warm-up, the database may: its jobs are in no entry, so they are left out.
    """
    sold = {entry.task_id: entry for entry in ledger}
    books = [row for row in design.books() if row[0] in sold]
    checks = {
        "submits that the provider accepted": len(sold),
        "of them in the database, each once": len({task_id for task_id, *_ in books}) if len(books) == len(sold) else 0,
        "different jobs among them": len({job for _, job, *_ in books}),
        "called back for under the right name": sum(_is_named(sold[row[0]], row[1]) for row in books),
        "callbacks answered 200": sum(entry.status == 200 for entry in ledger),
        "with the result that was sent": sum((row[3] or "").startswith(row[0]) for row in books),
        "with one applied callback": sum(row[4] == 1 for row in books),
        "completed": sum(row[2] == "completed" for row in books),
    }
    return [f"{design.name}: {number} of {jobs}: {what}" for what, number in checks.items() if number != jobs]


def _is_named(entry: Entry, job: str) -> bool:
    return entry.metadata == job
