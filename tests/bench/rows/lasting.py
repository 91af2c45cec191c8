"""Whether memory stays flat: one batch after the other, in one run of the service."""

from collections.abc import Iterator

from tests.bench.counterpart import Entry
from tests.bench.designs import Design
from tests.bench.rows import end_to_end
from tests.bench.rows.memory import Sampler
from tests.bench.rows.plan import Measured

NAMES = ("rss_first_mb", "rss_last_mb")

BATCH = 50_000


def measure(design: Design, jobs: int) -> Measured:
    """The highest sum of resident memory in MB while the first batch runs, and while the last does.

    All of them are audited at the end.
    """
    ledger: list[Entry] = []
    peaks: list[float] = []
    with design.running():
        design.start_workers()
        design.warm_up()
        for size in _sizes(jobs):
            peaks.append(_peak_mb(design, size))
            ledger += design.machine.provider.ledger()
            design.machine.provider.forget()
            print(f"    {len(ledger):,} jobs done, {peaks[-1]:.0f} MB", flush=True)
        complaints = design.complaints(ledger, jobs)
    return Measured(dict(zip(NAMES, (peaks[0], peaks[-1]), strict=True)), complaints)


def _sizes(jobs: int) -> Iterator[int]:
    yield from (min(BATCH, jobs - done) for done in range(0, jobs, BATCH))


def _peak_mb(design: Design, jobs: int) -> float:
    with Sampler([process.pid for process in design.processes]) as sampler:
        end_to_end.finish(design, design.body(jobs), jobs)
    return sampler.highest / 1e6
