"""Hive's V2 task API: submits a task, reads its result, and asks for a task where the provider can be asked."""

import json
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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
from app.providers.dialogues import Dialogue, NoAnswer, NotSent, Request, Response
from app.providers.outcomes import KEY_STATUSES, not_accepted, one_line
from app.providers.readings import MAX_ID_CHARS, Fields, fields_of, first_id, read_result, words_of

log = logging.getLogger(__name__)

SUBMIT_PATH = "/api/v2/task/async"
MANY_NOT_FOUND = 3


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer; `status` is what it counts as, which a `return_code` in a 2xx decides."""

    status: int
    return_code: str | None
    fields: Fields | None
    response: Response

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        fields = self.fields or {}
        said = words_of(fields.get("message")) or words_of(fields.get("error"))
        if not said and self.fields is None:
            said = one_line(self.response.body[:2000].decode("utf-8", "replace"))
        return one_line(f"HTTP {self.status}: {said}" if said else f"HTTP {self.status}")


class HiveV2:
    """One V2 project, reached by either of its keys. Shared by threads."""

    name = "hive_v2"

    def __init__(
        self,
        base_url: str,
        keys: Sequence[str],
        permanent_codes: Collection[str] = (),
        task_path: str | None = None,
    ) -> None:
        self._base_url = base_url
        self._keys = tuple(keys)
        self._key = self._keys[0] if self._keys else ""
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
            answered = yield from self._ask(task_path.replace("{task_id}", quote(task_id, safe="")))
        except (NotSent, NoAnswer) as error:
            return NoReply(one_line(str(error)))
        self._learn_from(task_id, answered)
        return _lookup(answered)

    def _ask(self, path: str, body: bytes | None = None) -> Dialogue[_Answered]:
        """Ask with the key that worked last, and once more with the other one where the first is refused."""
        for key in self._keys_to_try():
            answered = _answered((yield Request(self._base_url + path, _headers(key, body), body)))
            if answered.status not in KEY_STATUSES:
                break
        if answered.is_success:
            self._key = key  # one assignment: threads see the old key or the new one, and both have worked
        return answered

    def _keys_to_try(self) -> tuple[str, ...]:
        current = self._key
        return (current, *(key for key in self._keys if key != current))[:2]

    def _learn_from(self, task_id: str, answered: _Answered) -> None:
        """405 says that reading back isn't supported; so does 404 for several tasks, if none was ever found.

        One alone may be a task that the provider has forgotten.
        """
        status = answered.response.status
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


def _answered(response: Response) -> _Answered:
    parsed = fields_of(response.body)
    fields = parsed if isinstance(parsed, dict) else None
    return_code = _return_code(fields or {})
    if return_code is None or not 200 <= response.status < 300:
        return _Answered(response.status, None, fields, response)
    status = int(return_code) if re.fullmatch(r"[45][0-9]{2}", return_code) else response.status
    return _Answered(status, return_code, fields, response)


def _return_code(fields: Mapping[str, object]) -> str | None:
    """None where it says that all is well: missing, null, 0 or 200 (the vendor's client reads it so)."""
    code = fields.get("return_code")
    if not code or str(code).strip() in {"", "0", "200"}:
        return None
    return one_line(str(code), 40)


def _outcome(answered: _Answered) -> SubmitOutcome:
    if not answered.is_success:
        return not_accepted(answered.status, answered.message, answered.response.headers)
    task_id = _task_id(answered.fields or {})
    if task_id is None and answered.return_code:
        return Rejected(f"return_code_{answered.return_code}", answered.message, answered.response.status)
    if task_id is None:
        return Unknown("no_task_id", f"Accepted without a task id: {answered.message}", answered.response.status)
    if answered.return_code:
        log.warning("task_accepted_with_return_code task_id=%s return_code=%s", task_id, answered.return_code)
    return Accepted(task_id, answered.response.status)


def _task_id(fields: Mapping[str, object]) -> str | None:
    several = fields.get("task_ids")
    first = several[0] if isinstance(several, list) and several else None
    task_id = first_id(fields.get("task_id"), fields.get("id"), first)
    return task_id if task_id and len(task_id) <= MAX_ID_CHARS else None


def _lookup(answered: _Answered) -> Lookup:
    if answered.status in {400, 404, 405, 410}:
        return NotKnown(answered.message)
    if not answered.is_success or answered.fields is None:
        return NoReply(answered.message)
    status = answered.fields.get("status")
    return Finished(answered.response.body) if isinstance(status, list) and status else Running()
