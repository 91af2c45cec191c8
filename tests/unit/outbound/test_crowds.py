"""Who is being sent to: a slow receiver takes up only so many couriers."""

from collections.abc import Collection
from uuid import UUID

from app.outbound.crowds import Crowds

SLOW, OTHER = UUID(int=1), UUID(int=2)


def first_of(*endpoints: UUID, crowded: Collection[UUID]) -> UUID | None:
    return next((each for each in endpoints if each not in crowded), None)


def take(crowds: Crowds) -> UUID | None:
    return crowds.take(lambda crowded: first_of(SLOW, OTHER, crowded=crowded), lambda endpoint: endpoint)


def test_an_endpoint_that_has_its_most_is_passed_over() -> None:
    crowds = Crowds(most=2)
    assert [take(crowds) for _ in range(5)] == [SLOW, SLOW, OTHER, OTHER, None]


def test_one_that_is_done_with_may_be_sent_to_again() -> None:
    crowds = Crowds(most=1)
    assert [take(crowds), take(crowds), take(crowds)] == [SLOW, OTHER, None]
    crowds.leave(SLOW)
    assert [take(crowds), take(crowds)] == [SLOW, None]
