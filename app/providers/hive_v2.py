"""Hive's V2 task API: submits a task, reads its result, and asks for a task where the provider can be asked."""

import json
import logging
from collections.abc import Collection, Sequence
from urllib.parse import quote

from app.chat import BESIDE_V2
from app.providers.base import (
    Accepted,
    Finished,
    Held,
    Lookup,
    NoReply,
    NotKnown,
    Reading,
    Rejected,
    Running,
    Submission,
    SubmitOutcome,
    Unknown,
)
from app.providers.dialogues import Dialogue, NoAnswer, NotSent, Request
from app.providers.outcomes import not_accepted, one_line
from app.providers.readings import MAX_ID_CHARS, Fields, first_id, read_result
from app.providers.replies import Keys, Reply

log = logging.getLogger(__name__)

SUBMIT_PATH = "/api/v2/task/async"
MANY_NOT_FOUND = 3


class HiveV2:
    """One V2 project, reached by either of its keys. Shared by threads."""

    def __init__(
        self,
        base_url: str,
        keys: Sequence[str],
        permanent_codes: Collection[str] = (),
        task_path: str | None = None,
        name: str = "hive_v2",
    ) -> None:
        self.name = name
        self._base_url = base_url
        self._keys = Keys(keys)
        self._permanent_codes = frozenset(permanent_codes)
        self._task_path = task_path
        self._has_read_back = False
        self._not_found: set[str] = set()

    @property
    def can_read_back(self) -> bool:
        """Whether a task can be asked for: a path is configured, and the provider hasn't answered that it has none."""
        return self._task_path is not None

    def submit(self, submission: Submission) -> Dialogue[SubmitOutcome]:
        """Submit one task. What an answer other than 2xx means stands in `outcomes`."""
        if not self._keys:
            return Held("key_refused", "HIVEBATCH_HIVE_KEY is not set.", needs_operator=True)
        try:
            return _outcome((yield from self._ask(SUBMIT_PATH, _body(submission))))
        except NotSent as error:
            return Held("unreachable", one_line(str(error)))
        except NoAnswer as error:
            return Unknown(error.code, one_line(str(error)))

    def read(self, body: bytes) -> Reading:
        """What a callback's body says. Never raises."""
        return read_result(body, self._permanent_codes)

    def look_up(self, task_id: str) -> Dialogue[Lookup]:
        """Ask for a task that was accepted. A provider that can't be asked is not asked again by this process."""
        task_path = self._task_path
        if task_path is None or not self._keys:
            return NotKnown("This provider can't be asked for a task.")
        try:
            reply = yield from self._ask(task_path.replace("{task_id}", quote(task_id, safe="")))
        except (NotSent, NoAnswer) as error:
            return NoReply(one_line(str(error)))
        self._learn_from(task_id, reply)
        return _lookup(reply)

    def _ask(self, path: str, body: bytes | None = None) -> Dialogue[Reply]:
        url = self._base_url + path
        return self._keys.ask(lambda key: Request(url, _headers(key, body), body))

    def _learn_from(self, task_id: str, reply: Reply) -> None:
        """405 says that reading back isn't supported; so does 404 for several tasks, if none was ever found.

        One alone may be a task that the provider has forgotten.
        """
        status = reply.response.status
        if 200 <= status < 300:
            self._has_read_back = True
        elif status == 404 and not self._has_read_back:
            self._not_found.add(task_id)
        if status == 405 or len(self._not_found) >= MANY_NOT_FOUND:
            log.warning("provider_cannot_read_back provider=%s http_status=%s", self.name, status)
            self._task_path = None


def _headers(key: str, body: bytes | None) -> dict[str, str]:
    headers = {"Authorization": f"Token {key}", "Accept": "application/json"}
    return headers | {"Content-Type": "application/json"} if body is not None else headers


def _body(submission: Submission) -> bytes:
    """The fields of a V2 submit. What is None is left out; 0 is sent: a temperature of 0 means something."""
    said = submission.options.items()
    options = {key: value for key, value in said if value is not None and key not in BESIDE_V2}
    fields: dict[str, object] = {
        "text_data": submission.text_data,
        "callback_url": submission.callback_url,
        "metadata": submission.metadata,
    }
    return json.dumps(fields | {"options": options} if options else fields, allow_nan=False).encode()


def _outcome(reply: Reply) -> SubmitOutcome:
    if not reply.is_success:
        return not_accepted(reply.status, reply.message, reply.response.headers)
    task_id = _task_id(reply.fields or {})
    if task_id is None and reply.return_code:
        return Rejected(f"return_code_{reply.return_code}", reply.message, reply.response.status)
    if task_id is None:
        return Unknown("no_task_id", f"Accepted without a task id: {reply.message}", reply.response.status)
    if reply.return_code:
        log.warning("task_accepted_with_return_code task_id=%s return_code=%s", task_id, reply.return_code)
    return Accepted(task_id, reply.response.status)


def _task_id(fields: Fields) -> str | None:
    several = fields.get("task_ids")
    first = several[0] if isinstance(several, list) and several else None
    task_id = first_id(fields.get("task_id"), fields.get("id"), first)
    return task_id if task_id and len(task_id) <= MAX_ID_CHARS else None


def _lookup(reply: Reply) -> Lookup:
    if reply.status in {400, 404, 405, 410}:
        return NotKnown(reply.message)
    if not reply.is_success or reply.fields is None:
        return NoReply(reply.message)
    status = reply.fields.get("status")
    return Finished(reply.response.body) if isinstance(status, list) and status else Running()
