"""From a request body to a batch and its jobs: each job valid, or with everything that is wrong with it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import IO

from pydantic import ValidationError
from werkzeug.datastructures import MultiDict

from app import strictjson
from app.api import queries
from app.api.body import NDJSON, Body, Line, lines
from app.api.problems import MAX_PROBLEMS, Place, of_validation, parsed
from app.api.rules import problems_of_job, problems_of_options
from app.api.schemas.inputs import BatchFields, BatchHead, BatchIn, JobIn, Query, SingleJobIn
from app.config import Settings
from app.errors import InvalidInput, Problem
from app.services.views import BadLine, NewBatch, NewJob

Values = Iterable[tuple[Place, object]]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a submission is held against, and whose it is."""

    settings: Settings
    owner: str


@dataclass(frozen=True, slots=True)
class Submission:
    """A batch and its jobs in order. `lines` reads on in the body, so it has to be used up before that closes."""

    batch: NewBatch
    lines: Iterable[NewJob | BadLine]


def read_batch(body: Body, args: MultiDict[str, str], terms: Terms) -> Submission:
    """The batch in a body of JSON, or in one of NDJSON and the query.

    Raises:
        InvalidInput: something is wrong with the batch itself; its jobs were not looked at.
    """
    is_ndjson = body.media_type == NDJSON
    with queries.as_parameters() if is_ndjson else nullcontext():
        head, values = _of_ndjson(body, args, terms) if is_ndjson else _of_json(body, args, terms)
        return read_values(head, values, terms)


def read_values(head: BatchHead, values: Values, terms: Terms) -> Submission:
    """A batch of values, each a job by itself or what is wrong with its line, wherever they were read from.

    Raises:
        InvalidInput: something is wrong with the batch itself; its jobs were not looked at.
    """
    _refuse(problems_of_options(head.options, terms.settings, Place()))
    batch = _new_batch(head, terms.owner, head.options.given(), skips=head.on_invalid == "skip")
    return Submission(batch, _jobs(values, batch.options, terms.settings))


def read_job(body: Body, terms: Terms) -> Submission:
    """The job in a body of JSON, as a batch of one.

    Raises:
        InvalidInput: everything that is wrong with it.
    """
    job = parsed(SingleJobIn, body.json())
    batch = _new_batch(job, terms.owner, {}, skips=False)
    _refuse(problems_of_job(job, terms.settings, Place()))
    return Submission(batch, [NewJob(job.custom_id, job.text_data, job.options.given())])


def _new_batch(said: BatchFields, owner: str, options: Mapping[str, object], *, skips: bool) -> NewBatch:
    return NewBatch(
        owner=owner,
        name=said.name,
        provider=said.provider,
        fallback_provider=said.fallback_provider,
        options=options,
        metadata=said.metadata,
        max_attempts=said.max_attempts,
        expires_in_seconds=said.expires_in_seconds,
        skip_invalid=skips,
        budget=None if said.budget is None else Decimal(said.budget),
        webhook_url=said.webhook_url,
    )


def _refuse(found: Iterable[Problem]) -> None:
    if problems := tuple(found):
        raise InvalidInput(problems[:MAX_PROBLEMS], len(problems))


def _of_json(body: Body, args: MultiDict[str, str], terms: Terms) -> tuple[BatchHead, Values]:
    queries.read(Query, args)
    batch = parsed(BatchIn, body.json())
    return batch, ((Place(f"/jobs/{index}"), job) for index, job in enumerate(batch.jobs))


def _of_ndjson(body: Body, args: MultiDict[str, str], terms: Terms) -> tuple[BatchHead, Values]:
    limit = terms.settings.max_line_bytes
    return queries.read_head(args), json_lines(body.file, limit)


def json_lines(file: IO[bytes], limit: int) -> Values:
    """The JSON value on each line of a file, with its place; of a line without one, what is wrong with it."""
    return ((Place(line=line.number), _value(line, limit)) for line in lines(file, limit))


def _value(line: Line, limit: int) -> object:
    place = Place(line=line.number)
    if line.content is None:
        return BadLine((place.problem(f"A line takes at most {limit} bytes", limit=limit, value=line.size),))
    try:
        return strictjson.loads(line.content)
    except InvalidInput as error:
        return BadLine(tuple(place.move(problem) for problem in error.problems))


def _jobs(values: Values, defaults: Mapping[str, object], settings: Settings) -> Iterator[NewJob | BadLine]:
    for place, value in values:
        yield value if isinstance(value, BadLine) else _job(value, place, defaults, settings)


def _job(value: object, place: Place, defaults: Mapping[str, object], settings: Settings) -> NewJob | BadLine:
    try:
        job = JobIn.model_validate(_with_defaults(value, defaults))
    except ValidationError as error:
        return BadLine(of_validation(error, place))
    found = tuple(problems_of_job(job, settings, place))
    if found:
        return BadLine(found)
    own = {name: said for name, said in job.options.given().items() if name in _own_options(value)}
    return NewJob(job.custom_id, job.text_data, own, place.line, place.pointer)


def _with_defaults(value: object, defaults: Mapping[str, object]) -> object:
    """The job as it will be submitted, which is how it has to be valid."""
    if not isinstance(value, dict) or not isinstance(own := value.get("options", {}), dict):
        return value
    return value | {"options": {**defaults, **own}}


def _own_options(value: object) -> Mapping[str, object]:
    """What the job says itself; the batch's defaults are kept once, with the batch."""
    options = value.get("options", {}) if isinstance(value, dict) else {}
    return options if isinstance(options, dict) else {}
