"""Profiles: how often which fault is drawn for a prompt that carries no directive.

A draw depends on the seed, the prompt and how often that very prompt was submitted, never on the order of
arrival, so a run with many connections is as repeatable as one with a single connection. **A prompt is
unlucky at most twice**: from its third submission on it is served without fault, so every job can finish.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from app.sandbox.switches import CALM, Switches
from app.sandbox.words import FaultError, parse_switches

UNLUCKY_AT_MOST = 2


@dataclass(frozen=True)
class Profile:
    """A name and what may happen, each with its share of the submissions (0 to 1)."""

    name: str
    weights: Mapping[str, float]
    """Switch set, as words, to its share."""
    surely: tuple[str, ...] = ()
    """Switch sets that happen within 200 submissions, even where no draw hit them (see `dice`)."""

    def draw(self, seed: int, prompt_hash: str, number: int) -> Switches:
        """Draw for the `number`th submission (from 1) of a prompt."""
        if number > UNLUCKY_AT_MOST:
            return CALM
        point = fraction("fault", seed, prompt_hash, number)
        for words, share in self.weights.items():
            point -= share
            if point < 0:
                return parse_switches(words)
        return CALM

    def to_json(self) -> dict[str, object]:
        """The profile as `GET /sandbox/profile` shows it."""
        return {"name": self.name, "weights": dict(self.weights), "surely": list(self.surely)}


def profile_named(name: str) -> Profile:
    """Find a profile.

    Raises:
        FaultError: there is none of that name.
    """
    if name not in PROFILES:
        raise FaultError(f"unknown profile {name!r}: must be one of {', '.join(PROFILES)}")
    return PROFILES[name]


def custom_profile(name: str, weights: Mapping[str, float]) -> Profile:
    """Make a profile of given weights.

    Raises:
        FaultError: a switch set can't be read, a share isn't a number from 0 to 1, or they add up to more than 1.
    """
    for words, share in weights.items():
        if parse_switches(words).times is not None:
            raise FaultError(f"{words}: times belongs into a directive; a prompt is unlucky at most twice anyway")
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise FaultError(f"the share of {words!r} must be a number from 0 to 1")
    if sum(weights.values()) > 1 + 1e-9:
        raise FaultError("the shares add up to more than 1")
    return Profile(name, dict(weights))


def fraction(*parts: object) -> float:
    """A repeatable number in [0, 1) made from the parts."""
    digest = sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


_DEFAULT = ("lost", "duplicate", "before_ack", "status=429 retry_after=1", "status=503", "late")
_HOSTILE = {
    "lost": 0.03,
    "duplicate": 0.02,
    "resent": 0.02,
    "before_ack": 0.02,
    "before_ack duplicate": 0.01,
    "reordered": 0.02,
    "late": 0.02,
    "delay=1": 0.01,
    "malformed": 0.02,
    "shape=B": 0.01,
    "shape=C": 0.01,
    "shape=D": 0.01,
    "charge=string code=int": 0.01,
    "extra": 0.01,
    "from_cache": 0.01,
    "fail=5": 0.015,
    "fail=5 with_response": 0.015,
    "ack=none": 0.01,
    "ack=id": 0.005,
    "ack=task_ids": 0.005,
    "ack=full": 0.005,
    "ack_delay=1": 0.005,
    "return_code=503": 0.01,
    "return_code=7 booked": 0.005,
    "reset": 0.02,
    "status=429 retry_after=1": 0.01,
    "status=429 retry_date=1": 0.005,
    "status=429": 0.005,
    "status=500": 0.01,
    "status=500 booked": 0.005,
    "status=503": 0.01,
    "status=503 booked": 0.005,
    "status=502 html": 0.005,
    "status=502 html booked": 0.005,
}
PROFILES = {
    "calm": Profile("calm", {}),
    "default": Profile("default", dict.fromkeys(_DEFAULT, 0.011), surely=_DEFAULT),
    "hostile": Profile("hostile", _HOSTILE),
}
