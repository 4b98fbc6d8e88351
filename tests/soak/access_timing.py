"""10,000 pairs of foreign and absent for every role and every route: nobody can tell by the time.

Each route is measured a second time with 20 us added to what is another's, which must be seen.
"""

import argparse
import pathlib
import sys
import tempfile

from e2e.access_timing_test import INJECTED_NS, TOLERANCE_US
from e2e.case import PROGRAMS, identity_model
from support.access_timing import Neighbours
from support.paired_times import differences, median_interval, tells_apart
from support.server import Server


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--roles", nargs="+", metavar="ROLE", help="these alone")
    arguments = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as name, \
            Server(PROGRAMS, pathlib.Path(name) / "store") as server:
        neighbours = Neighbours(server, identity_model())
        wire = neighbours.connect()
        for role in arguments.roles or neighbours.people:
            token = neighbours.people[role]
            for route, (foreign, absent) in neighbours.routes(token).items():
                for delay in (0, INJECTED_NS):
                    seen = median_interval(
                        differences(wire, foreign, absent, arguments.pairs, delay))
                    right = tells_apart(seen, TOLERANCE_US) == (delay > 0)
                    failures += not right
                    print(f"{role:8} {route:40} {delay // 1000:2} us added: median "
                          f"{seen[1]:6.2f} us, within {seen[0]:.2f} to {seen[2]:.2f}"
                          f"{'' if right else ' -- WRONG'}", flush=True)
        wire.close()
    print(f"access_timing: {failures} wrong (goal 0)")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
