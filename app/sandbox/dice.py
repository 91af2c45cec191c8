"""Decides, for each submission, what goes wrong with it: directive, queued switches or the profile's draw."""

from collections import Counter, deque
from dataclasses import dataclass
from threading import Lock

from app.sandbox.profiles import Profile, fraction
from app.sandbox.switches import CALM, Switches
from app.sandbox.words import FaultError, directives_of, for_submission, parse_switches

OWED_FROM, OWED_EVERY = 140, 8


@dataclass(frozen=True)
class Turn:
    """What was decided for one submission."""

    switches: Switches
    number: int
    """How many times this prompt was submitted, this time included."""
    luck: float
    """A repeatable number in [0, 1), for the latency."""


class Dice:
    """Counts the submissions of each prompt and rolls; safe to use from several threads.

    A directive in the prompt comes first, then what `queue` was given, then the profile. The profile's
    draw does not depend on the order of arrival, with one exception that promises nothing can: if a fault
    of `Profile.surely` has hit nobody by its turn (the 140th submission, the next one 8 later, and so on),
    the next prompt that would have been served without fault gets it.
    """

    def __init__(self, profile: Profile, seed: int) -> None:
        self._lock = Lock()
        self._start = (profile, seed)
        self.reset()

    def reset(self) -> None:
        """Go back to the first profile and forget every count and queued switch."""
        self.use(*self._start)
        with self._lock:
            self._submitted: Counter[str] = Counter()
            self._queued: deque[tuple[Switches, int]] = deque()

    def use(self, profile: Profile, seed: int) -> None:
        """Draw from this profile from now on; counts of submissions stay."""
        with self._lock:
            self.profile, self.seed = profile, seed
            self._drawn: Counter[str] = Counter()

    def queue(self, switches: Switches, count: int) -> None:
        """Give these switches to the next `count` submissions without a directive, in order of arrival."""
        with self._lock:
            self._queued.append((switches, count))

    def roll(self, prompt: str, prompt_hash: str, is_sync: bool) -> Turn:
        """Decide for one submission, and count it.

        Raises:
            FaultError: the prompt's directive can't be read, or speaks of a callback in a sync task.
        """
        directives = directives_of(prompt)
        if is_sync and any(switches.needs_callback for switches in directives):
            raise FaultError("the directive speaks of an ack or a callback, and a sync task has neither")
        with self._lock:
            self._submitted[prompt_hash] += 1
            number = self._submitted[prompt_hash]
            chosen = for_submission(directives, number) if directives else self._without_directive(prompt_hash, number)
            luck = fraction("latency", self.seed, prompt_hash, number)
        return Turn(CALM if is_sync and chosen.needs_callback else chosen, number, luck)

    def _without_directive(self, prompt_hash: str, number: int) -> Switches:
        if self._queued:
            switches, count = self._queued.popleft()
            if count > 1:
                self._queued.appendleft((switches, count - 1))
            return switches
        return self._draw(prompt_hash, number)

    def _draw(self, prompt_hash: str, number: int) -> Switches:
        drawn = self.profile.draw(self.seed, prompt_hash, number)
        if drawn is CALM and number == 1:
            drawn = self._owed()
        self._drawn[drawn.text] += 1
        return drawn

    def _owed(self) -> Switches:
        so_far = self._drawn.total() + 1
        for position, words in enumerate(self.profile.surely):
            if not self._drawn[words] and so_far >= OWED_FROM + OWED_EVERY * position:
                return parse_switches(words)
        return CALM
