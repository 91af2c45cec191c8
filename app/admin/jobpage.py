"""The page of one job; its prompt and its answer are shown to operators who ask, which is written down."""

from uuid import UUID

from app import ids
from app.admin import acting, pages
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.services import audit, status, why


@admin.get("/jobs/<shown>")
def job(shown: str) -> str:
    """One job with its attempts and callbacks, without its texts."""
    return _page(ids.read("job", shown), with_texts=False)


@admin.post("/jobs/<shown>/texts")
def read_job(shown: str) -> str:
    """The same with its texts, once it is written down who reads them."""
    job_id = ids.read("job", shown)
    status.job(runtime(), None, job_id)
    audit.note(runtime(), acting.by(), "job.read", shown)
    return _page(job_id, with_texts=True)


def _page(job_id: UUID, *, with_texts: bool) -> str:
    detail = status.job(runtime(), None, job_id)
    batch = status.batch(runtime(), None, detail.job.batch_id)
    return pages.job(detail, batch, why.job(runtime(), None, job_id), with_texts=with_texts)
