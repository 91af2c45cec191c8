"""What a V2 result body says: an answer, a failure, or nothing that can be read."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from app import strictjson
from app.errors import InvalidInput
from app.providers.base import Answer, Failure, Origin, Reading, Unreadable, shorten
from app.providers.extraction import MAX_COST_NANO, find_cost_nano, find_details, find_text
from app.providers.outcomes import one_line

Fields = Mapping[str, object]

UNNAMED_FAILURE = "task_failed"
MAX_ID_CHARS = 200


@dataclass(frozen=True, slots=True)
class _Entry:
    """One of `status[]`: `code` is None for a success."""

    code: str | None
    message: str
    response: object


def read_result(body: bytes, permanent_codes: Collection[str]) -> Reading:
    """What a callback's body or a task that was read back says. Never raises.

    A top-level `error` is a failed task whatever else is there. Otherwise one success with text is enough for an
    answer; the texts of several are joined by a newline. A success without text was paid for, and is not retried.
    """
    fields = fields_of(body)
    if isinstance(fields, Unreadable):
        return fields
    entries = [_entry(raw) for raw in _listed(fields.get("status"))]
    successes = [entry for entry in entries if entry.code is None]
    error = fields.get("error")
    if not entries and not error:
        return Unreadable("It has neither `status` nor `error`.")
    if error or not successes:
        return _failure(fields, entries, permanent_codes)
    return _success(fields, entries, successes)


def fields_of(body: bytes) -> dict[str, object] | Unreadable:
    """The fields of a body that is one JSON object."""
    try:
        value = strictjson.loads(body)
    except InvalidInput as error:
        return Unreadable(one_line(str(error)))
    return value if isinstance(value, dict) else Unreadable("It is not a JSON object.")


def first_id(*candidates: object) -> str | None:
    """The first of them that is an id: a string that isn't empty, or an integer."""
    for value in candidates:
        if (isinstance(value, str) and value) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
    return None


def words_of(value: object) -> str:
    """A message, or an error object that has one, as a line of text; empty where there is none."""
    if isinstance(value, dict):
        value = value.get("message") or value
    if value is None or isinstance(value, str):
        return one_line(value or "")
    return one_line(json.dumps(value, ensure_ascii=False))


def _success(fields: Fields, entries: Sequence[_Entry], successes: Sequence[_Entry]) -> Answer | Failure:
    origin, cost_nano = _origin(fields), _cost_nano(entries)
    texts = [text for entry in successes if (text := find_text(entry.response)) is not None]
    if texts:
        return Answer(origin, "\n".join(filter(None, texts)), cost_nano, _details(fields, successes))
    message = "The task succeeded, but no text was recognised in its result."
    return Failure(origin, "text_not_recognised", message, is_retryable=False, cost_nano=cost_nano)


def _failure(fields: Fields, entries: Sequence[_Entry], permanent_codes: Collection[str]) -> Failure:
    failed = next((entry for entry in entries if entry.code is not None), None)
    code = (failed and failed.code) or UNNAMED_FAILURE
    said = [failed.message if failed else "", words_of(fields.get("error"))]
    message = shorten(": ".join(filter(None, said)) or "The task failed; its result doesn't say why.")
    is_retryable = code not in permanent_codes
    return Failure(_origin(fields), code, message, is_retryable, _cost_nano(entries))


def _entry(raw: object) -> _Entry:
    entry = raw if isinstance(raw, dict) else {}
    status = entry.get("status")
    status = status if isinstance(status, dict) else {}
    message = words_of(status.get("message"))
    return _Entry(_failure_code(status.get("code"), message), message, entry.get("response"))


def _failure_code(code: object, message: str) -> str | None:
    """None for a success: code 0, as a number or a string, or no code and the message SUCCESS."""
    if code is None or code == "":
        return None if message.upper() == "SUCCESS" else UNNAMED_FAILURE
    shown = one_line(code if isinstance(code, str) else json.dumps(code), 64)
    return None if shown in {"0", "0.0"} else shown


def _origin(fields: Fields) -> Origin:
    """The top-level id only: an entry's `input.id` is another task's when the provider answered from its cache."""
    metadata = fields.get("metadata")
    if metadata is not None and not isinstance(metadata, str):
        metadata = json.dumps(metadata, ensure_ascii=False)
    given = (first_id(fields.get("id")), first_id(fields.get("task_id")))
    # Cut to what is stored of an id: one that long still differs from the one that the ack gave.
    return Origin(tuple(dict.fromkeys(task_id[:MAX_ID_CHARS] for task_id in given if task_id)), metadata)


def _cost_nano(entries: Sequence[_Entry]) -> int | None:
    charges = [cost for entry in entries if (cost := find_cost_nano(entry.response)) is not None]
    total = sum(charges)
    return total if charges and total <= MAX_COST_NANO else None


def _details(fields: Fields, successes: Sequence[_Entry]) -> dict[str, object]:
    details: dict[str, object] = {}
    for entry in successes:
        details = find_details(entry.response) | details
    for key, kind in (("from_cache", bool), ("usage", dict)):
        if isinstance(fields.get(key), kind):
            details.setdefault(key, fields[key])
    return details


def _listed(status: object) -> list[object]:
    if isinstance(status, list):
        return status
    return [status] if isinstance(status, dict) else []
