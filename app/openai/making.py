"""Making a batch of an uploaded file: what is wrong with the file becomes a batch that has failed."""

from app.errors import InvalidInput, NotFound, Problem
from app.openai.intake import read_lines
from app.openai.schemas import OpenAiNewBatch
from app.runtime import Runtime
from app.services import creation, endpoints, fileids, files, status
from app.services.views import Created, NewBatch

LIFETIME_SECONDS = 86400.0
PROBLEMS_KEPT = 1000


def make(runtime: Runtime, owner: str, said: OpenAiNewBatch, key: str | None, request_sha256: str) -> Created:
    """Store a batch with the jobs of its input file, or one that has failed for what is wrong with that.

    Raises:
        Conflict: the idempotency key was used for another request.
        InvalidInput: nothing could be sent to its `webhook_url`; nothing was stored.
    """
    seen = None if key is None else creation.find_replay(runtime, owner, key, request_sha256)
    if seen is not None:
        return Created(status.batch(runtime, owner, seen), is_replay=True)
    if said.webhook_url is not None:
        endpoints.check(runtime, said.webhook_url, "/webhook_url")
    expiry = said.output_expires_after
    new = NewBatch(
        owner=owner,
        metadata=said.metadata or {},
        expires_in_seconds=LIFETIME_SECONDS,
        idempotency_key=key,
        request_sha256=request_sha256,
        input_file_id=said.input_file_id,
        files_lifetime_seconds=None if expiry is None else expiry.seconds,
        webhook_url=said.webhook_url,
        problems_kept=PROBLEMS_KEPT,
    )
    try:
        return _create(runtime, new)
    except InvalidInput as error:
        return creation.refuse(runtime, new, error)


def _create(runtime: Runtime, new: NewBatch) -> Created:
    shown = str(new.input_file_id)
    try:
        fileids.find(runtime, new.owner, shown)
        file_id, kind = fileids.read(shown)
    except NotFound as error:
        raise InvalidInput([Problem(str(error), "/file_id", value=shown, code="invalid_request")]) from error
    if kind is not None:
        words = "Results can't be the input of a batch."
        raise InvalidInput([Problem(words, "/file_id", value=shown, code="invalid_request")])
    with files.reader(runtime, file_id) as content:
        return creation.create(runtime, new, read_lines(content, runtime.settings))
