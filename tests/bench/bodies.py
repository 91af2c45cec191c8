"""What travels in the benchmark: jobs of 1 KB, and the results of 2 KB that the provider calls back with."""

import json

_WORDS = "The river rises in the hills behind the town and reaches the sea after two hundred miles of meadows. "
_PROMPT = _WORDS * 9
_ANSWER = _WORDS * 13


def job(number: int) -> dict[str, object]:
    """One job, 1 KB as a line of JSON."""
    return {
        "custom_id": f"job-{number:07d}",
        "text_data": f"Question {number}: {_PROMPT}",
        "options": {"max_tokens": 64, "temperature": 0.2},
    }


def ndjson(jobs: int) -> bytes:
    """So many jobs, one a line."""
    return b"".join(json.dumps(job(number)).encode() + b"\n" for number in range(jobs))


def document(jobs: int) -> bytes:
    """So many jobs as one JSON document."""
    return json.dumps({"jobs": [job(number) for number in range(jobs)]}).encode()


def result(task_id: str, metadata: str | None) -> bytes:
    """The body of a V2 callback; its text begins with the task's id."""
    choice = {"message": {"role": "assistant", "content": f"{task_id} {_ANSWER}"}, "finish_reason": "stop"}
    asked = {"id": task_id, "model": "llama-3.2-1b-instruct", "model_type": "TEXT_GENERATION", "charge": 0.0002}
    response = {"input": asked | {"text": _WORDS}, "output": [{"time": 0, "choices": [choice]}]}
    fields = {
        "id": task_id,
        "project_id": 101,
        "created_on": "2026-01-31T10:00:02.120Z",
        "metadata": metadata,
        "status": [{"status": {"code": "0", "message": "SUCCESS"}, "response": response}],
        "from_cache": False,
    }
    return json.dumps(fields).encode()
