"""The report of a run: a page of figures, and what is wrong with them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from app.sandbox.results import answer_for
from tests.chaos import accounts, recovery
from tests.chaos.accounts import Line, Patience, Payments
from tests.chaos.load import Load
from tests.chaos.marks import PHASES
from tests.chaos.recovery import Bound, Recovery
from tests.chaos.run import Ran
from tests.chaos.system import SETTINGS

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Report:
    """What is told of a run. `complaints`: everything that should not be."""

    database: str
    seconds: float
    jobs: int
    batches: int
    requests: int
    faults: Mapping[str, int]
    hits: Mapping[str, int]
    lost: Sequence[str]
    doubled: Sequence[str]
    forgotten: Sequence[str]
    payments: Payments
    saved: int
    sales: int
    billed: Decimal
    recoveries: Sequence[Recovery]
    bounds: Mapping[str, Bound]
    late: Sequence[str]
    asked: int
    unexplained_open: Sequence[str]
    others: Sequence[str] = ()

    @property
    def complaints(self) -> Sequence[str]:
        found = {
            "lost": self.lost,
            "doubled": self.doubled,
            "forgotten": self.forgotten,
            "paid without a reason": self.payments.unexplained,
            "recovered too late": self.late,
            "recovery not measured": recovery.unmeasured(self.recoveries, self.database),
            "open without a reason": self.unexplained_open,
            "why": [] if self.asked else ["no open job was asked about"],
            "saved by asking": [] if self.saved else ["no answer was read back"],
            "no kill hit": [phase for phase in PHASES if not self.hits.get(phase)],
            "also": self.others,
        }
        return [f"{what}: {each}" for what, these in found.items() for each in these]

    def __str__(self) -> str:
        faults = ", ".join(f"{kind} {number}" for kind, number in self.faults.items())
        hits = ", ".join(f"{phase} {self.hits.get(phase, 0)}" for phase in PHASES)
        reasons = ", ".join(f"{reason} {number}" for reason, number in self.payments.reasons.most_common())
        complaints = list(self.complaints)
        shown = [*complaints[:_SHOWN], f"and {len(complaints) - _SHOWN} more"][: min(len(complaints), _SHOWN + 1)]
        lines = [
            f"chaos on {self.database}: {self.jobs:,} jobs in {self.batches} batches, all over in {self.seconds:.0f} s",
            f"requests until each batch was accepted: {self.requests}",
            f"faults: {faults}",
            f"kills that hit: {hits}",
            f"jobs lost: {len(self.lost)}",
            f"results doubled: {len(self.doubled)}",
            f"callbacks answered 200 and not kept: {len(self.forgotten)}",
            f"paid twice: {self.payments.paid_twice} ({reasons}), unexplained: {len(self.payments.unexplained)}",
            f"saved by asking: {self.saved} answers were read back",
            f"sold by the provider: {self.sales:,} tasks, for {self.billed}",
            *(self._longest(kind) for kind in self.bounds),
            f"open jobs asked about: {self.asked}, not explained: {len(self.unexplained_open)}",
            *(shown or ["all is well"]),
        ]
        return "\n".join(lines)

    def _longest(self, kind: str) -> str:
        if kind in (absent := recovery.ABSENT.get(self.database, {})):
            return f"longest recovery, {kind}: {absent[kind]}"
        of_kind = [each for each in self.recoveries if each.kind == kind]
        bound = self.bounds[kind]
        promised = f"promised {bound.seconds:.1f} s ({bound.words})"
        if not of_kind:
            return f"longest recovery, {kind}: none; {promised}"
        by_clock, quiet = max(each.seconds for each in of_kind), max(each.quiet_seconds for each in of_kind)
        return (
            f"longest recovery, {kind}: {by_clock:.1f} s, {quiet:.1f} of it to be seen; of {len(of_kind)}; {promised}"
        )


def judge(ran: Ran) -> Report:
    """Hold the witnesses of a run against each other."""
    promised = _promised(ran.load)
    lines = _lines(ran.load)
    found = recovery.recoveries(ran.books, ran.faults.done)
    bounds = recovery.bounds(SETTINGS)
    return Report(
        database=ran.system.database,
        seconds=ran.seconds,
        jobs=len(promised),
        batches=len(ran.load.log),
        requests=sum(each.tries for each in ran.load.log),
        faults=Counter(each.kind for each in ran.faults.done),
        hits=ran.faults.hits,
        lost=accounts.lost(promised, lines),
        doubled=accounts.doubled(promised, lines, ran.books),
        forgotten=accounts.forgotten(ran.books),
        payments=accounts.payments(ran.books, patience()),
        saved=ran.books.saved,
        sales=len(ran.books.sales),
        billed=ran.books.billed,
        recoveries=found,
        bounds=bounds,
        late=recovery.exceeded(found, bounds),
        asked=ran.questions.asked,
        unexplained_open=ran.questions.unexplained,
        others=[*ran.verifications, *_unwell(ran), *ran.system.supervisor.unasked],
    )


def patience() -> Patience:
    """As the settings of the systems have it."""
    names = ("LEASE_SECONDS", "CALLBACK_TIMEOUT_SECONDS", "UNKNOWN_GRACE_SECONDS")
    return Patience(*(timedelta(seconds=float(SETTINGS[name])) for name in names))


def _promised(load: Load) -> Mapping[tuple[str, str], str]:
    """The right answer to each job of each 201, by batch and custom id."""
    return {
        (accepted.batch_id, job.custom_id): answer_for(job.text_data, job.system_prompt)
        for accepted in load.log
        for job in accepted.jobs
    }


def _lines(load: Load) -> Sequence[Line]:
    return [
        Line(batch_id, line["custom_id"], line["state"], line.get("text"))
        for batch_id, lines in load.lines().items()
        for line in lines
    ]


def _unwell(ran: Ran) -> list[str]:
    """What `hivebatch doctor` finds."""
    doctor = ran.books.doctor
    checks = [f"doctor: {each['name']}: {each['detail']}" for each in doctor["checks"] if not each["is_ok"]]
    broken = [
        f"doctor: {each['name']}: {one['id']} {one['reason']}"
        for each in doctor["invariants"]
        for one in each["violations"]
    ]
    return checks + broken
