"""Signatures of webhooks, held against what receivers verify them with."""

import base64
import json

import openai
import pytest
import standardwebhooks
from freezegun import freeze_time

from app.outbound.signatures import new_secret, sign

BODY = json.dumps({"id": "evt_1", "type": "batch.completed", "data": {"id": "batch_1"}}).encode()
AT = 1740000000


def headers(*keys: str, body: bytes = BODY) -> dict[str, str]:
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(AT),
        "webhook-signature": sign(keys, "evt_1", AT, body),
    }


def test_a_secret_is_what_receivers_take_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(20)}
    assert len(secrets) == 20
    assert all(24 <= len(base64.b64decode(each.removeprefix("whsec_"), validate=True)) <= 64 for each in secrets)


def test_a_signature_is_the_one_in_the_specification() -> None:
    # The example of the specification's own libraries.
    signature = sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@freeze_time("2025-02-19 21:20:00")
def test_both_libraries_verify_it_and_during_a_rotation_with_either_secret() -> None:
    old, new = new_secret(), new_secret()
    for secret in (old, new):
        assert standardwebhooks.Webhook(secret).verify(BODY, headers(new, old))["type"] == "batch.completed"
        client = openai.OpenAI(api_key="unused", webhook_secret=secret)
        assert client.webhooks.unwrap(BODY, headers(new, old)).data.id == "batch_1"


@freeze_time("2025-02-19 21:20:00")
def test_neither_takes_another_body_or_another_secret() -> None:
    secret = new_secret()
    client = openai.OpenAI(api_key="unused", webhook_secret=secret)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(secret).verify(BODY + b" ", headers(secret))
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(BODY, headers(new_secret()))
