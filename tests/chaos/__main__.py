"""`python -m tests.chaos`: the service under load, a hostile provider and every fault that needs no privileges."""

import argparse
import random
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from tests.chaos.marks import PHASES
from tests.chaos.report import judge
from tests.chaos.run import Run, Stalled
from tests.chaos.system import SYSTEMS, System
from tests.senders import SENDERS


def main() -> int:
    """The exit status: 1 if anything was lost, doubled, paid for without a reason or else not as promised."""
    arguments = _arguments()
    return max(_run(database, arguments) for database in arguments.database or SYSTEMS)


def _run(database: str, arguments: argparse.Namespace) -> int:
    sender = arguments.sender or random.Random(f"{database} {arguments.seed}").choice(_senders())
    print(f"chaos on {database}, seed {arguments.seed}, sender {sender}", flush=True)
    with SYSTEMS[database](arguments.seed, sender) as system, ExitStack() as on_failure:
        on_failure.callback(_keep_logs, system, arguments.logs)
        try:
            report = judge(Run(system, arguments.jobs, arguments.kills, arguments.seed).run())
        except Stalled as stalled:
            print(f"chaos on {database} does not end: {stalled}", flush=True)
            return 1
        print(report, flush=True)
        if report.complaints:
            return 1
        on_failure.pop_all()
    return 0


def _senders() -> Sequence[str]:
    """Those that can be used here."""
    return [sender for sender in SENDERS if sender == "requests" or find_spec(sender)]


def _keep_logs(system: System, folder: Path | None) -> None:
    if folder is not None:
        shutil.copytree(system.folder, folder / system.database, dirs_exist_ok=True)
        return
    for name, text in system.logs().items():
        print(f"--- {name}: {text[-3000:]}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    add = parser.add_argument
    add("--jobs", type=int, default=600, help="jobs on each database")
    add("--kills", type=int, default=7, help=f"SIGKILLs, of which the first {len(PHASES)} are aimed at a phase each")
    add("--database", nargs="+", choices=list(SYSTEMS), help="one of them, or both; both by default")
    add("--seed", type=int, default=random.SystemRandom().randint(1, 10**6), help="of the plan and of the sandbox")
    add("--sender", choices=list(SENDERS), help="HIVEBATCH_SENDER; chosen by the seed if not given")
    add("--logs", type=Path, metavar="FOLDER", help="keep everything of a run that went wrong there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
