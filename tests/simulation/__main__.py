"""`python -m tests.simulation`: seeds in a row, or one of them with its log."""

import argparse
import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.run import Run, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="only this one, with its log")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if chosen.seed is not None:
        return _show(run(chosen.seed))
    began = time.monotonic()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    with ProcessPoolExecutor(initializer=logging.disable) as processes:
        for found in processes.map(run, seeds, chunksize=10):
            if found.broken is not None:
                return _show(found)
    seconds = time.monotonic() - began
    print(f"{chosen.seeds} seeds, all at rest, in {seconds:.0f} s ({chosen.seeds / seconds:.0f} a second)")
    return 0


def _show(found: Run) -> int:
    print(f"seed {found.seed}: {found.weather}", *found.log, sep="\n")
    if found.broken is None:
        print(f"all holds; fingerprint {found.fingerprint}")
        return 0
    print(f"\n{found.broken}\n\nAgain with: make simulate SEED={found.seed}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
