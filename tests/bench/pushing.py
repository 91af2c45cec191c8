"""A bare client loop: the limit for submits. `python -m tests.bench.pushing --url U --callback-url U --number N`."""

import argparse
import json

import requests
from requests.adapters import HTTPAdapter

from tests.bench import bodies


def push(url: str, callback_url: str, number: int) -> None:
    """Send the same submit so many times over one kept-alive connection, below the sessions of `requests`."""
    asked = bodies.job(1)
    fields = {"text_data": asked["text_data"], "options": asked["options"], "callback_url": callback_url}
    headers = {"Authorization": "Token of-the-benchmark", "Content-Type": "application/json"}
    template = requests.Request("POST", f"{url}/api/v2/task/async", headers=headers).prepare()
    adapter = HTTPAdapter()
    for _ in range(number):
        prepared = template.copy()
        prepared.prepare_body(json.dumps(fields).encode(), None)
        answer = adapter.send(prepared, timeout=30)
        assert json.loads(answer.content)["task_id"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--callback-url", required=True)
    parser.add_argument("--number", type=int, required=True)
    arguments = parser.parse_args()
    push(arguments.url, arguments.callback_url, arguments.number)
