"""A job as code: what the API says of it, and the commands that ask for it and that submit the same."""

import json
from collections.abc import Mapping
from typing import Any

from app import ids
from app.api.schemas.inputs import Options
from app.api.schemas.outputs import JobDetailOut
from app.services.views import BatchView, JobDetail

_TEXTS: Any = {"text_data": True, "options": True, "result": {"text", "details"}}
_KNOWN = frozenset(Options.model_fields)


def as_json(detail: JobDetail) -> str:
    """What the API answers about a job, over several lines, without its texts."""
    return JobDetailOut.of(detail).model_dump_json(indent=2, exclude=_TEXTS)


def asking(base_url: str, detail: JobDetail) -> str:
    """The command that gets it."""
    shown = ids.show("job", detail.job.id)
    return f'curl {base_url}/api/jobs/{shown} \\\n  -H "Authorization: Bearer $HIVEBATCH_KEY"'


def submitting(base_url: str, detail: JobDetail, batch: BatchView) -> str | None:
    """The command that submits the same once more, its body on one line whatever is in it.

    None: it asks for what only chats can, which the other face of the API takes.
    """
    if not _KNOWN.issuperset(detail.options):
        return None
    body: Mapping[str, object] = {
        "custom_id": detail.job.custom_id,
        "provider": batch.provider,
        "text_data": detail.text_data,
        "options": dict(detail.options),
    }
    said = json.dumps({name: value for name, value in body.items() if value != {}}, ensure_ascii=False)
    headers = '-H "Authorization: Bearer $HIVEBATCH_KEY" -H "Content-Type: application/json"'
    return f"curl {base_url}/api/jobs {headers} --data-binary @- <<'END'\n{said}\nEND"
