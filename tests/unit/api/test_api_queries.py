"""Query parameters are known, given once, and of their type; what is wrong names the parameter."""

from typing import get_args

import pytest
from werkzeug.datastructures import MultiDict

from app.api import queries
from app.api.schemas.inputs import BatchListQuery, JobListQuery, JobWord
from app.errors import InvalidInput
from app.services.status import OVERDUE
from app.states import JobState
from tests.unit.api.submitted import ReadBatch

JOB = {"custom_id": "a", "text_data": "Hello"}


def test_parameters_left_out_have_their_defaults() -> None:
    assert queries.read(BatchListQuery, MultiDict()) == BatchListQuery(cursor=None, limit=20)


def test_states_may_be_repeated_or_separated_by_commas() -> None:
    query = queries.read(JobListQuery, MultiDict([("state", "queued,waiting"), ("state", "failed"), ("limit", "7")]))
    assert (query.state, query.limit) == ((JobState.QUEUED, JobState.WAITING, JobState.FAILED), 7)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("limit", "0")], "Query parameter 'limit': Input should be greater than or equal to 1"),
        ([("limit", "101")], "Query parameter 'limit': Input should be less than or equal to 100"),
        ([("limit", "x")], "Query parameter 'limit': Input should be a valid integer"),
        ([("limit", "9" * 5000)], "Query parameter 'limit': "),
        ([("limit", "1"), ("limit", "2")], "Query parameter 'limit': It may be given once only"),
        ([("size", "1")], "Query parameter 'size': Unknown field"),
        ([("cursor", "a\x00b")], "Query parameter 'cursor': Text must not contain U\\+0000"),
    ],
)
def test_a_wrong_parameter_is_named(pairs: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        queries.read(BatchListQuery, MultiDict(pairs))


def test_a_word_for_jobs_is_a_state_or_overdue() -> None:
    assert get_args(JobWord) == (*JobState, OVERDUE)


def test_an_unknown_state_is_named_with_those_that_there_are() -> None:
    with pytest.raises(InvalidInput, match="Query parameter 'state' at /1: Input should be 'queued'"):
        queries.read(JobListQuery, MultiDict([("state", "queued,done")]))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"options": "{"}, "Query parameter 'options': Not valid JSON"),
        ({"options": '{"max_tokens": 65}'}, "Query parameter 'options' at /max_tokens: Input should be less than"),
        ({"options": '{"top_p": "1"}'}, "Query parameter 'options' at /top_p: Input should be a valid number"),
        ({"metadata": '{"a": 1}'}, "Query parameter 'metadata' at /a: Input should be a valid string"),
        ({"metadata": '{"a": "\\u0000"}'}, "Query parameter 'metadata' at /a: Text must not contain U\\+0000"),
        ({"max_attempts": '"3"'}, "Query parameter 'max_attempts': Input should be a valid integer"),
        ({"jobs": "[]"}, "Query parameter 'jobs': Unknown field"),
    ],
)
def test_a_batch_in_the_query_is_as_strict_as_one_in_a_document(
    read: ReadBatch, query: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        read([JOB], **query)
