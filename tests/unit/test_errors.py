"""Errors: each of ours has one answer over HTTP, also those that are a special case of another."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app.api.errors import register_errors
from app.errors import (
    Conflict,
    DatabaseBusy,
    DatabaseUnavailable,
    HivebatchError,
    InputTooLarge,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Problem,
    QuarantineFull,
    TooManyAtOnce,
    UnsafeConfiguration,
)

ANSWERS: dict[type[HivebatchError], tuple[HivebatchError, int]] = {
    InvalidInput: (InvalidInput([Problem("wrong")]), 400),
    InputTooLarge: (InputTooLarge(5), 413),
    NotFound: (NotFound("job", "job_1"), 404),
    Conflict: (Conflict("too late"), 409),
    NotAuthenticated: (NotAuthenticated("who"), 401),
    NotAllowed: (NotAllowed("may only read"), 403),
    QuarantineFull: (QuarantineFull("1000 wait"), 429),
    TooManyAtOnce: (TooManyAtOnce("16 wait"), 503),
    DatabaseUnavailable: (DatabaseUnavailable("host db is away"), 503),
    DatabaseBusy: (DatabaseBusy("a deadlock of db"), 503),
}


def of(kind: type[HivebatchError]) -> Iterator[type[HivebatchError]]:
    yield kind
    for special in kind.__subclasses__():
        yield from of(special)


def test_every_error_that_a_request_can_meet_is_tried_here() -> None:
    never_in_a_request = {HivebatchError, UnsafeConfiguration}
    assert set(of(HivebatchError)) - never_in_a_request == set(ANSWERS)


@pytest.mark.parametrize("kind", ANSWERS)
def test_each_error_has_its_answer(kind: type[HivebatchError]) -> None:
    error, status = ANSWERS[kind]
    app = Flask("errors")
    register_errors(app)

    @app.get("/")
    def fail() -> str:
        raise error

    response = app.test_client().get("/")
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    if status == 503:
        assert response.headers["Retry-After"]
        assert "db" not in response.text


def test_an_error_of_input_speaks_with_the_words_of_its_first_problem() -> None:
    error = InvalidInput([Problem("first"), Problem("second")], total=7)
    assert (str(error), len(error.problems), error.total) == ("first", 2, 7)
    assert InvalidInput([Problem("one")]).total == 1
    assert str(InvalidInput([])) == "invalid input"
