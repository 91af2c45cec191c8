"""Which rows there are: each group is measured by one run of the service."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tests.bench.designs import Design
from tests.bench.rows import accept, end_to_end, fast, flow, latency, memory
from tests.bench.rows.plan import Measured, Plan


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are measured together. Of the obvious design there is no fast variant, and memory needs one round."""

    names: tuple[str, ...]
    measure: Callable[[Design, Plan], Measured]
    is_fast: bool = False
    is_once: bool = False


GROUPS: Sequence[Group] = (
    Group(accept.NAMES, accept.measure),
    Group(flow.NAMES, flow.measure),
    Group(("submit_fast",), fast.submit, is_fast=True),
    Group(end_to_end.NAMES, end_to_end.measure),
    Group(("end_to_end_fast",), fast.through, is_fast=True),
    Group(latency.NAMES, latency.measure),
    Group(memory.NAMES, memory.measure, is_once=True),
)


def chosen(names: Collection[str]) -> list[Group]:
    """The groups that have one of these rows, all if none is named."""
    return [group for group in GROUPS if not names or set(names) & set(group.names)]
