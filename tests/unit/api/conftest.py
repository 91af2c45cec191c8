"""Submissions read from bodies, without a service behind them."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from app.api.body import JSON, NDJSON, received
from app.api.intake import Terms, read_batch, read_job
from app.config import Settings
from app.services.views import NewBatch
from tests.unit.api.submitted import Lines, ReadBatch, make_request

MAX_BODY_BYTES = 1_000_000


@pytest.fixture
def settings() -> Settings:
    return Settings(max_line_bytes=2000, max_text_chars=100, max_output_tokens=64)


@pytest.fixture
def read(settings: Settings) -> ReadBatch:
    """Reads a batch: from an object or bytes as JSON, from a list of lines as NDJSON."""

    def read(content: Any, **query: Any) -> tuple[NewBatch, Lines]:
        is_ndjson = isinstance(content, list)
        body = content if isinstance(content, bytes) else _body(content)
        request = make_request(body, NDJSON if is_ndjson else JSON, urlencode(query))
        with received(request, {JSON: MAX_BODY_BYTES, NDJSON: MAX_BODY_BYTES}) as arrived:
            submission = read_batch(arrived, request.args, Terms(settings, "alice"))
            return submission.batch, list(submission.lines)

    return read


@pytest.fixture
def read_single(settings: Settings) -> ReadBatch:
    """Reads one job from an object."""

    def read(content: Any) -> tuple[NewBatch, Lines]:
        with received(make_request(_body(content), JSON), {JSON: MAX_BODY_BYTES, NDJSON: MAX_BODY_BYTES}) as arrived:
            submission = read_job(arrived, Terms(settings, "alice"))
            return submission.batch, list(submission.lines)

    return read


def _body(content: Any) -> bytes:
    if isinstance(content, list):
        return b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in content)
    return json.dumps(content).encode()
