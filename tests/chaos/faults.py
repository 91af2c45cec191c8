"""The faults: what is done to a running system, one at a time, by somebody who has no mercy and no privileges."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import Random

import requests

from tests.chaos import aim
from tests.chaos.load import PADDING, Load
from tests.chaos.proxy import Mode
from tests.chaos.supervisor import Watched
from tests.chaos.system import SETTINGS, Production, System
from tests.e2e.client import Asked
from tests.e2e.processes import full_disk
from tests.e2e.procfile import until

LEASE_SECONDS = float(SETTINGS["LEASE_SECONDS"])
FROZEN = "stopped beyond the lease"
TRIES = 4
UNHEARD = 8
"""Jobs in a batch of which nobody hears for two seconds, and of which no callback tells, when first submitted."""

_UNHEARD = "[[sandbox lost ack_delay=2 times=1]]"
_CLAIM_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Done:
    """A fault as it was: from its beginning until everything that it took away was there again."""

    kind: str
    target: str
    began_at: datetime
    ended_at: datetime

    def __str__(self) -> str:
        return f"{self.kind}, {self.target}, {(self.ended_at - self.began_at).total_seconds():.1f} s"


class Faults:
    """Does faults to one system, and writes down what it did. `hits`: how many kills found each phase."""

    def __init__(self, system: System, load: Load, random: Random) -> None:
        self._system = system
        self._load = load
        self._random = random
        self.done: list[Done] = []
        self.hits: Counter[str] = Counter()

    def kill(self) -> None:
        """SIGKILL to the group of any process, now."""
        target = self._random.choice(list(self._system.watched.values()))
        with self._noted("killed", target.name):
            self._kill(target)

    def kill_in(self, phase: str) -> None:
        """SIGKILL to the group of a process that is in this phase, at a random instant of it; again if it missed."""
        for _ in range(TRIES):
            self._kill_in(phase)
            if self.hits[phase]:
                return

    def kill_unheard(self) -> None:
        """SIGKILL to the group of a process whose POSTs are under way, such that only their leases tell of them.

        Again if it was not the one that has sent most of them.
        """
        for number in range(TRIES):
            batch_id = self._load.submit([_unheard(number, position) for position in range(UNHEARD)])
            until(partial(self._load.jobs_in, "submitting", batch_id, 1), _CLAIM_SECONDS, f"{batch_id} is under way")
            time.sleep(0.3)  # a claim is a moment before its POST
            if self._kill_in("POST").get("POST", 0) >= UNHEARD // 2:
                return

    def _kill_in(self, phase: str) -> Mapping[str, int]:
        """One that it hopes to find in the phase; in which phases it was, with how many threads."""
        target = aim.at(phase, self._system.of_role(*aim.ROLES[phase]), self._random)
        with self._noted("killed", target.name):
            return self._kill(target)

    def freeze(self, roles: tuple[str, ...]) -> None:
        """SIGSTOP to a process of such a role for longer than the lease."""
        target = self._random.choice(self._system.of_role(*roles))
        with self._noted(FROZEN, target.name):
            target.signal(signal.SIGSTOP)
            time.sleep(LEASE_SECONDS + self._random.uniform(1, 2))
            target.signal(signal.SIGCONT)

    def link(self, name: str, mode: Mode) -> None:
        """Cut, stall or mute what two parts say to each other."""
        kinds = {Mode.CUT: "connections cut", Mode.STALL: "connections stalled", Mode.MUTE: "answers cut off"}
        with self._noted(kinds[mode], name):
            self._system.proxy.use(name, mode)
            time.sleep(self._random.uniform(0.2, 2))
            self._system.proxy.use(name, Mode.PASS)

    def disk_full(self, name: str) -> None:
        """No file of this process may be written any more, for a while: what it would need one for comes again."""
        target, large = self._system.watched[name], _large(len(self.done))
        with self._noted("disk full", name), full_disk(target.pid):
            time.sleep(self._random.uniform(0.5, 2))
            if self._system.database == "sqlite":
                assert requests.get(f"{self._system.url}/readyz", timeout=10).status_code == 503
            refused = self._load.offer(large)
            assert refused is not None, "web was away"
            assert (refused.status_code, "Retry-After" in refused.headers) == (503, True), refused.text
        self._load.submit(large)

    def redis_absent(self, until: Callable[[], object]) -> None:
        """It is not there at the start; it comes when `until` returns."""
        production = self._production()
        with self._noted("Redis absent from the start", "redis"):
            until()
            production.redis.start()

    def redis_killed(self) -> None:
        production = self._production()
        with self._noted("Redis killed", "redis"):
            production.redis.kill()
            time.sleep(self._random.uniform(0.2, 2))
            production.redis.start()

    def redis_frozen(self) -> None:
        production = self._production()
        with self._noted("Redis frozen", "redis"):
            assert production.redis.process is not None
            production.redis.process.send_signal(signal.SIGSTOP)
            time.sleep(self._random.uniform(1, 4))
            production.redis.process.send_signal(signal.SIGCONT)

    def redis_flushed(self) -> None:
        production = self._production()
        with self._noted("Redis flushed", "redis"):
            production.redis.command("FLUSHALL")

    def postgres_restarted(self) -> None:
        """As an administrator restarts it: every connection is ended."""
        self._end_postgres("PostgreSQL restarted", signal.SIGINT)

    def postgres_crashed(self) -> None:
        """It ends without a checkpoint, and recovers from its log."""
        self._end_postgres("PostgreSQL crashed", signal.SIGQUIT)

    def power_cut(self) -> None:
        """All of it dies at once, and starts again in any order."""
        production = self._production()
        with self._noted("everything killed", "everything"):
            for each in production.watched.values():
                self.hits.update(each.kill().keys())
            production.redis.kill()
            production.redis.start()
            self._restart_postgres(signal.SIGQUIT)
            production.wait_until_up()

    def _end_postgres(self, kind: str, number: signal.Signals) -> None:
        with self._noted(kind, "postgresql"):
            self._restart_postgres(number)

    def _restart_postgres(self, number: signal.Signals) -> None:
        postgres = self._production().postgres
        assert postgres.process is not None
        postgres.process.send_signal(number)
        postgres.process.wait(30)
        time.sleep(self._random.uniform(0, 1))
        postgres.start()

    def _kill(self, target: Watched) -> Mapping[str, int]:
        hit = target.kill()
        self.hits.update(hit.keys())
        self._system.wait_until_up(target.name)
        return hit

    def _production(self) -> Production:
        assert isinstance(self._system, Production)
        return self._system

    @contextmanager
    def _noted(self, kind: str, target: str) -> Iterator[None]:
        began_at = datetime.now(UTC)
        yield
        self.done.append(Done(kind, target, began_at, datetime.now(UTC)))


def _large(number: int) -> Sequence[Asked]:
    """What web has to put into a file before it can be looked at."""
    texts = [f"Question {number}.{each}: how long is this?{PADDING}" for each in range(8)]
    return [Asked(f"large/{number}/{each}", text) for each, text in enumerate(texts)]


def _unheard(number: int, position: int) -> Asked:
    return Asked(f"unheard/{number}/{position}", f"Question {number}.{position}: who hears this? {_UNHEARD}")
