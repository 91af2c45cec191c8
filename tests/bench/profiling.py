"""Where the processes spend their time, by py-spy: install it where it is wanted, the requirements don't have it."""

import re
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.designs import Design

_RATE = 200
_OURS = re.compile(r"\((?:\S*/)?((?:app|workers)/\S+?)\.py:\d+\)")
_SHOWN = 10


@contextmanager
def noted(design: Design, what: str, notes: list[str]) -> Iterator[None]:
    """Adds a note of the share that each of our modules has in the time of the web process and of the first worker.

    A sample counts for the innermost of our functions in it, with all that this function has others do.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        files = {name: Path(folder) / name for name in ("web", "worker")}
        for file, process in zip(files.values(), design.processes, strict=False):
            running.enter_context(_recorded(process.pid, file))
        yield
        running.close()
        notes.extend(f"{what}, {name}: {_told(shares(file.read_text().splitlines()))}" for name, file in files.items())


def shares(lines: Sequence[str]) -> Mapping[str, float]:
    """By module, how much of all samples: `lines` are folded stacks, `outer;...;inner count`."""
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        modules = _OURS.findall(stack)
        counts[modules[-1] if modules else "the server and the interpreter"] += int(count)
    return {module: count / counts.total() for module, count in counts.most_common()}


@contextmanager
def _recorded(pid: int, file: Path) -> Iterator[None]:
    # Only samples that hold the lock count: the others wait, for the database or for something to do.
    command = ["py-spy", "record", "--gil", "--pid", str(pid), "--rate", str(_RATE), "--format", "raw"]
    recorder = subprocess.Popen(
        [*command, "--output", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield
    finally:
        recorder.send_signal(signal.SIGINT)
        _, said = recorder.communicate(timeout=60)
        assert file.exists(), said


def _told(found: Mapping[str, float]) -> str:
    return ", ".join(f"{module} {100 * share:.0f} %" for module, share in list(found.items())[:_SHOWN])
