"""`hivebatch up` tells whoever wants to hear it how a batch ended, as the official SDK asks and reads it."""

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
import standardwebhooks

from tests.e2e.processes import Processes, Up, eventually
from tests.unit.providers.servers import Server, answer, hang, in_turn

JOBS = {f"river-{number}": f"Name river number {number}." for number in range(5)}


@pytest.fixture
def receiver() -> Iterator[Server]:
    """Fails at first, then takes everything."""
    with Server(answer(500), answer(200)) as server:
        yield server


def sdk(up: Up) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{up.url}/v1", api_key=up.key)


def test_the_end_of_a_batch_is_told_within_seconds_and_again_until_it_is_taken(
    processes: Processes, receiver: Server, tmp_path: Path
) -> None:
    up = processes.up(tmp_path, "--port", "0", "--sandbox")
    with sdk(up) as client:
        made = client.webhooks.create(url=f"{receiver.url}/in", name="tests", event_types=["batch.completed"])
        batch_id = up.submit(JOBS)
        up.finished(batch_id)
        eventually(lambda: len(receiver.received) == 2, 30, "the event was sent twice")
        first, second = receiver.received
        events = [
            client.webhooks.unwrap(each.body, dict(each.headers), secret=made.signing_secret)
            for each in (first, second)
        ]
        assert {(each.id, each.type, each.data.id) for each in events} == {
            (first.headers["webhook-id"], "batch.completed", batch_id)
        }
        assert client.webhooks.test(made.id, event_type="batch.failed").status_code == 200
        assert [each.id for each in client.webhooks.list()] == [made.id]
        assert "batch.completed" in client.webhooks.event_types.list().data
        assert client.webhooks.delete(made.id).deleted
    assert up.process.stop() == 0
    assert "ERROR" not in up.process.stderr


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_was_being_sent_when_the_process_was_killed_is_sent_again(processes: Processes, tmp_path: Path) -> None:
    with Server(in_turn(hang), answer(200)) as receiver:
        up = processes.up(tmp_path, "--port", "0", "--sandbox")
        with sdk(up) as client:
            made = client.webhooks.create(url=receiver.url, name="tests", event_types=["batch.completed"])
        batch_id = up.submit(JOBS)
        up.finished(batch_id)
        eventually(lambda: len(receiver.received) == 1, 30, "it is being sent")
        up.process.kill()
        again = processes.up(tmp_path, "--port", "0", "--sandbox", name="again")
        eventually(lambda: len(receiver.received) == 2, 120, "it is sent again")
        first, second = receiver.received
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        verified = standardwebhooks.Webhook(made.signing_secret).verify(second.body, dict(second.headers))
        assert verified["data"]["id"] == batch_id
        assert again.process.stop() == 0
