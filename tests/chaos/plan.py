"""The plan of a run: which faults, in which order; one seed, one plan."""

from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from tests.chaos.faults import Faults
from tests.chaos.marks import PHASES
from tests.chaos.proxy import Mode

Step = Callable[[Faults], None]

LINKS = {
    "sqlite": ("client-up", "provider-up", "up-provider"),
    "postgresql": (
        "client-web",
        "provider-web",
        "worker-provider",
        "web-postgresql",
        "worker-postgresql",
        "web-redis",
        "worker-redis",
    ),
}
FULL = {"sqlite": "up", "postgresql": "web"}
OF_SERVERS = (
    Faults.redis_killed,
    Faults.redis_frozen,
    Faults.redis_flushed,
    Faults.postgres_restarted,
    Faults.postgres_crashed,
    Faults.power_cut,
    partial(Faults.freeze, roles=("web",)),
)


def steps(database: str, kills: int, random: Random) -> Sequence[Step]:
    """All faults in a random order: so many kills, first one in each phase, and every other kind for each ten of them.

    Every link is hit each time, in one of the ways.
    """
    chosen: list[Step] = [partial(Faults.kill_in, phase=phase) for phase in PHASES if phase != "POST"]
    chosen += [Faults.kill_unheard]  # in a POST
    chosen += [Faults.kill] * (kills - len(PHASES))
    for _ in range(max(1, kills // 10)):
        chosen += [partial(Faults.freeze, roles=("worker", "up")), partial(Faults.disk_full, name=FULL[database])]
        chosen += OF_SERVERS if database == "postgresql" else ()
        ways = (Mode.CUT, Mode.STALL, Mode.MUTE)
        chosen += [partial(Faults.link, name=name, mode=random.choice(ways)) for name in LINKS[database]]
    return random.sample(chosen, len(chosen))
