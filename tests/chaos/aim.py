"""Aiming: who is in a phase of its work at this instant, held up there a little so that a kill finds it."""

import time
from collections.abc import Mapping, Sequence
from random import Random

from tests.chaos.supervisor import Watched

AIM_SECONDS = 5.0
"""How long an aimed kill waits for somebody to enter the phase; then it hits whoever is there."""

ROLES: Mapping[str, tuple[str, ...]] = {
    "claim": ("worker", "up"),
    "POST": ("worker", "up"),
    "ack write": ("worker", "up"),
    "group commit": ("web", "up"),
    "finalize": ("web", "worker", "up"),
}


def at(phase: str, candidates: Sequence[Watched], random: Random) -> Watched:
    """Who is in the phase, at a random instant of it."""
    _brake(candidates, phase)
    target = _seen(candidates, phase, random)
    time.sleep(random.uniform(0, 0.1))
    _brake(candidates, None)
    return target


def _brake(candidates: Sequence[Watched], phase: str | None) -> None:
    for each in candidates:
        if each.page is not None:
            each.page.brake(phase)


def _seen(candidates: Sequence[Watched], phase: str, random: Random) -> Watched:
    """The one with most threads in the phase, as soon as there is any; after a while whoever."""
    deadline = time.monotonic() + AIM_SECONDS
    while time.monotonic() < deadline:
        threads = {each.name: _threads(each, phase) for each in candidates}
        if any(threads.values()):
            return max(candidates, key=lambda each: (threads[each.name], random.random()))
        time.sleep(0.001)
    return random.choice(candidates)


def _threads(watched: Watched, phase: str) -> int:
    """How many of it are in the phase now."""
    page = watched.page
    return 0 if page is None else page.counts().get(phase, 0)
