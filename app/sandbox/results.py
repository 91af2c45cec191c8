"""Makes answers, charges and result bodies out of tasks; the same task always gets the same ones."""

import json
from datetime import datetime
from decimal import Decimal
from uuid import NAMESPACE_OID, uuid5

from app.sandbox.submissions import hash_of
from app.sandbox.tasks import Task

PRICE_PER_1000_CHARACTERS = Decimal("0.0002")
LOWEST_CHARGE = Decimal("0.00005")
PROJECT_ID = 101
UNKNOWN_KEYS: dict[str, object] = {"region": "test-1", "moderation": {"checked": True, "scores": [0.25, None]}}


def answer_for(prompt: str, system_prompt: str | None) -> str:
    """The text the model "generates": the first 12 digits of the prompt's SHA-256, then its beginning."""
    beginning = " ".join(prompt.split())[:80]
    instruction = "" if system_prompt is None else f" (told: {' '.join(system_prompt.split())[:40]})"
    return f"[{hash_of(prompt)[:12]}] You asked: {beginning}{instruction}"


def charge_for(prompt: str, system_prompt: str | None) -> Decimal:
    """The price of a task in dollars: by length of the input, with a floor."""
    characters = len(prompt) + len(system_prompt or "")
    return max(LOWEST_CHARGE, (PRICE_PER_1000_CHARACTERS * characters / 1000).quantize(Decimal("0.0000001")))


def result_of(task: Task, resent_on: datetime | None = None) -> dict[str, object]:
    """The body of a callback, of a sync answer and of a look-up; with `resent_on` that of a repeat."""
    switches = task.switches
    body: dict[str, object] = {
        "id": task.task_id,
        "project_id": PROJECT_ID,
        "created_on": vendor_time(task.accepted_at),
        "metadata": task.submission.metadata,
        "status": [_failed(task) if task.failure else _succeeded(task)],
        "from_cache": switches.from_cache,
    }
    if task.failure:
        body["error"] = "inference failed"
    if switches.extra:
        body |= UNKNOWN_KEYS | {"user_id": 7, "code": 200, "callback": task.submission.callback_url}
    if resent_on is not None:
        body |= {"resent_on": vendor_time(resent_on), "resent_by": "sandbox"}
    return body


def bytes_of(task: Task, resent_on: datetime | None = None) -> bytes:
    """The result as it is sent; cut in the middle if the task is `malformed`."""
    body = json.dumps(result_of(task, resent_on)).encode()
    return body[: len(body) // 2] if task.switches.malformed else body


def vendor_time(at: datetime) -> str:
    """ISO 8601 with milliseconds and Z, for an aware UTC time."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _succeeded(task: Task) -> dict[str, object]:
    status = {"code": 0 if task.switches.code == "int" else "0", "message": "SUCCESS"}
    return {"status": status, "response": {"input": _input(task)} | _output(task.switches.shape, task.say() or "")}


def _failed(task: Task) -> dict[str, object]:
    code = task.failure or ""
    is_int = task.switches.code == "int" and code.isdigit()
    entry: dict[str, object] = {"status": {"code": int(code) if is_int else code, "message": "MODEL_ERROR"}}
    if task.switches.with_response:
        entry["response"] = {"input": _input(task), "output": []}
    return entry


def _input(task: Task) -> dict[str, object]:
    is_foreign = task.switches.from_cache
    fields: dict[str, object] = {
        "id": str(uuid5(NAMESPACE_OID, task.task_id)) if is_foreign else task.task_id,
        "created_on": vendor_time(task.accepted_at),
        "user_id": 7,
        "project_id": PROJECT_ID,
        "model": "llama-3.2-1b-instruct",
        "model_type": "TEXT_GENERATION",
        "model_version": 1,
        "hash": task.submission.prompt_hash[:32],
        "charge": f"{task.charge:f}" if task.switches.charge == "string" else float(task.charge),
        "text": task.submission.prompt,
        "config_version": 1,
        "config_tag": "default",
        "inference_client_version": "5.7.1",
    }
    return fields | (UNKNOWN_KEYS if task.switches.extra else {})


def _output(shape: str, answer: str) -> dict[str, object]:
    choice = {"message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    shapes: dict[str, dict[str, object]] = {
        "A": {"output": [{"time": 0, "choices": [choice]}]},
        "B": {"response": answer, "_version": 2},
        "C": {"output": [{"time": 0, "text": answer}]},
        "D": {"output": answer},
        "none": {"output": [{"time": 0, "classes": []}]},
    }
    return shapes[shape]
