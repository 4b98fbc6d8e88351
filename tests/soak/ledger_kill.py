"""100 times kill -9 under load: the ledger never counts more than was answered, loses 4 s at most.

--cycles N and --seed N choose others. Ends with how much was answered, counted and lost.
"""

import argparse
import os
import pathlib
import sys
import tempfile

from support.ledger_kill import BOUND_SECONDS, kill_in_a_loop

PROGRAMS = os.environ.get("CLOISTER_PROGRAMS", "build/dev/bin")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cloister-ledger-") as folder:
        store, counted = kill_in_a_loop(pathlib.Path(PROGRAMS).resolve(), pathlib.Path(folder),
                                        arguments.cycles, arguments.seed, 8.0)
    print("\n".join(store.wrong))
    print(f"ledger_kill: {arguments.cycles} kills, {store.total} answered, {counted} counted; the "
          f"longest loss began {store.longest_loss:.2f} s before a kill (bound "
          f"{BOUND_SECONDS:.0f} s and the disk's time; a writing was up to "
          f"{store.lateness.worst:.2f} s late); wrong: {len(store.wrong)}")
    return 1 if store.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
