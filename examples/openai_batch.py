"""OpenAI's Batch API from upload to answers, by the official SDK.

    export OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=hb_...
    python examples/openai_batch.py                                     # answered by V2
    python examples/openai_batch.py meta-llama/llama-3.2-1b-instruct    # answered by V3

The SDK reads both variables; nothing in this file knows that it doesn't speak to OpenAI.
"""

import json
import sys
import time

import openai

QUESTIONS = ["Name three rivers of Europe.", "Name three rivers of Asia.", "Which of them is the longest?"]
FINAL = {"completed", "failed", "expired", "cancelled"}
POLL_SECONDS = 1.0


def main() -> None:
    """Ask all questions in one batch; print the answers in the order of the questions."""
    client = openai.OpenAI()
    model = client.models.retrieve(sys.argv[1] if len(sys.argv) > 1 else "hivebatch/hive_v2")
    batch = finished(client, submitted(client, model.id))
    print(f"{batch.id} of {model.owned_by} is {batch.status}", file=sys.stderr)
    answers = read_answers(client, batch)
    for number, question in enumerate(QUESTIONS):
        print(f"{question}\n  {answers.get(f'question-{number}', 'no answer')}")


def submitted(client: openai.OpenAI, model: str) -> openai.types.Batch:
    """The batch of all questions, made of a file with one request a line."""
    lines = [json.dumps(request(number, model, question)) for number, question in enumerate(QUESTIONS)]
    file = client.files.create(file=("questions.jsonl", "\n".join(lines).encode()), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")


def request(number: int, model: str, question: str) -> dict[str, object]:
    """One line of the file."""
    messages = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": question}]
    body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": 100}
    return {"custom_id": f"question-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}


def finished(client: openai.OpenAI, batch: openai.types.Batch) -> openai.types.Batch:
    """The batch, looked at until nothing changes any more."""
    while batch.status not in FINAL:
        time.sleep(POLL_SECONDS)
        batch = client.batches.retrieve(batch.id)
    return batch


def read_answers(client: openai.OpenAI, batch: openai.types.Batch) -> dict[str, str]:
    """The answers by custom_id. The lines of the file stand in the order in which they came."""
    if batch.output_file_id is None:
        return {}
    lines = map(json.loads, client.files.content(batch.output_file_id).text.splitlines())
    return {line["custom_id"]: line["response"]["body"]["choices"][0]["message"]["content"] for line in lines}


if __name__ == "__main__":
    main()
