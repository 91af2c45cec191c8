"""V3, and any server that is compatible with OpenAI's chat/completions: it answers the submit with the result."""

import json
from collections.abc import Sequence
from typing import Any

from app.chat import chat_of_job
from app.providers.base import (
    Answered,
    Held,
    Lookup,
    NotKnown,
    Reading,
    Rejected,
    Submission,
    SubmitOutcome,
    Unknown,
    Unreadable,
)
from app.providers.completions import read_completion, read_fields
from app.providers.dialogues import Dialogue, NoAnswer, NotSent, Request
from app.providers.outcomes import KEY_STATUSES, not_accepted, one_line
from app.providers.replies import Keys, Reply

PATH = "/chat/completions"
MAX_ANSWER_BYTES = 16_000_000
"""A stream wraps each token in some hundred bytes."""

V3_KEY_STATUSES = KEY_STATUSES | {405}
"""V3 has 405 for an account without credit."""


class OpenAIChat:
    """One server, reached by either of its keys, or without any. Shared by threads."""

    can_read_back = False

    def __init__(
        self, name: str, base_url: str, keys: Sequence[str], models: Sequence[str], *, streams: bool, is_hive: bool
    ) -> None:
        self.name = name
        self._url = base_url + PATH
        self._keys = Keys(keys or ("",), V3_KEY_STATUSES if is_hive else KEY_STATUSES)
        self._models = tuple(models)
        self._streams = streams
        self._is_hive = is_hive

    def submit(self, submission: Submission) -> Dialogue[SubmitOutcome]:
        """Have one job answered. What an answer other than 2xx means stands in `outcomes`."""
        body = json.dumps(self._fields(submission), allow_nan=False).encode()
        try:
            reply = yield from self._keys.ask(
                lambda key: Request(self._url, _headers(key), body, MAX_ANSWER_BYTES, submission.listener)
            )
        except NotSent as error:
            return Held("unreachable", one_line(str(error)))
        except NoAnswer as error:
            return Unknown(error.code, one_line(str(error)))
        if not reply.is_success:
            return not_accepted(reply.status, reply.message, reply.response.headers, self._keys.refusals)
        return self._outcome(reply)

    def read(self, body: bytes) -> Reading:
        """What the body of an answer says. Never raises."""
        return read_completion(body)

    def look_up(self, task_id: str) -> Dialogue[Lookup]:
        """An answer that was lost is lost: there is nobody to ask."""
        yield from ()
        return NotKnown("This provider keeps no answers.")

    def _fields(self, submission: Submission) -> dict[str, Any]:
        model = submission.options.get("model")
        chosen = model if model in self._models else self._models[0]
        fields = chat_of_job(submission.text_data, submission.options, model=str(chosen))
        if self._is_hive and "max_completion_tokens" in fields:  # V3's page knows the older name only
            fields["max_tokens"] = fields.pop("max_completion_tokens")
        if self._streams or submission.listener:
            fields["stream"] = True
            if not self._is_hive:
                fields["stream_options"] = {"include_usage": True}
        return fields

    def _outcome(self, reply: Reply) -> SubmitOutcome:
        body, status = reply.response.body, reply.response.status
        reading = read_completion(body) if reply.fields is None else read_fields(reply.fields)
        if not isinstance(reading, Unreadable):
            return Answered(body, reading, status)
        if reply.return_code:
            return Rejected(f"return_code_{reply.return_code}", reply.message, status)
        return Unknown("unreadable_answer", f"It was answered, and paid: {reading.reason}", status, body)


def _headers(key: str) -> dict[str, str]:
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    return headers | {"Authorization": f"Bearer {key}"} if key else headers
