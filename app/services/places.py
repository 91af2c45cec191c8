"""Places in lists of jobs as words for an address."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.errors import InvalidInput, Problem
from app.store.joborders import DATED, Order, Place

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def write(order: Order, place: Place) -> str:
    """A place in a list of this order: the order, what it is ordered by, and the id of the job."""
    key, job_id = place
    value = (key - _EPOCH) // _MICROSECOND if order in DATED else key if order == "batch" else 0
    return f"{order}.{value}.{job_id.hex}"


def read(order: Order, word: str | None) -> Place | None:
    """The place that a word names, None without one. Raises InvalidInput: it names none in a list of this order."""
    if word is None:
        return None
    found = re.fullmatch(rf"{order}\.([0-9]{{1,16}})\.([0-9a-f]{{32}})", word)
    if found is None:
        raise InvalidInput([Problem("This cursor is not one of this list's.", "/cursor", value=word[:100])])
    value = int(found[1])
    return (_EPOCH + value * _MICROSECOND if order in DATED else value), UUID(hex=found[2])
