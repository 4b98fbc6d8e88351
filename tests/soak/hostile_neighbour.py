"""What a hostile model costs those who ask another one, beside what an honest busy one costs them.

Short windows with the one and with the other take turns, in an order that changes. A ratio is of
the two medians of one round, and the median over all rounds counts: other work on the machine
matters only where it keeps step with the windows.
"""

import argparse
import statistics
import sys
import threading
import time

import numpy as np

from e2e.hostile_worker_test import GREEDY, HANGS, HARMLESS, LIES, HostileWorker

WINDOW = 0.5


class Neighbour(threading.Thread):
    """Asks one model to misbehave as often as it answers."""

    def __init__(self, case, rule):
        super().__init__()
        self.case, self.rule = case, rule
        self.stopping = threading.Event()

    def run(self):
        x = np.array([1, 2, 3, 4], np.float32)
        with self.case.server.session(self.case.token) as http:
            while not self.stopping.is_set():
                answer = self.case.infer(http, self.rule, x)
                if answer.status_code in (429, 503):
                    self.stopping.wait(float(answer.headers["Retry-After"]))


def window(case, rule, http):
    """The median of what the honest model's caller waits, in seconds, beside `rule`'s."""
    took = []
    neighbour = Neighbour(case, rule)
    neighbour.start()
    x = np.array([1, 2, 3, 4], np.float32)
    end = time.monotonic() + WINDOW
    while time.monotonic() < end or not took:
        start = time.monotonic()
        answer = case.infer(http, "honest", x)
        took.append(time.monotonic() - start)
        if answer.status_code != 200:
            raise SystemExit(f"{rule}: the honest model answered {answer.status_code}")
    neighbour.stopping.set()
    neighbour.join()
    return statistics.median(took)


def measure(case, rule, http, rounds):
    """Medians of the windows beside the busy model and beside `rule`, and of their ratios."""
    busy, hostile = [], []
    for number in range(rounds):
        order = [("busy", busy), (rule, hostile)]
        for each, found in order if number % 2 == 0 else reversed(order):
            found.append(window(case, each, http))
    ratio = statistics.median(b / a for a, b in zip(busy, hostile))
    return statistics.median(busy), statistics.median(hostile), ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--rules", nargs="+", default=[*LIES, *HARMLESS, *HANGS, *GREEDY])
    options = parser.parse_args()
    case = HostileWorker()
    worst = 0.0
    HostileWorker.setUpClass()
    try:
        HostileWorker.upload("busy")
        with case.server.session(case.token) as http:
            for rule in options.rules:
                HostileWorker.upload(rule)
                busy, hostile, ratio = measure(case, rule, http, options.rounds)
                worst = max(worst, ratio)
                print(f"{rule:12} busy neighbour {busy * 1000:6.2f} ms, "
                      f"this one {hostile * 1000:6.2f} ms, {ratio:.2f}", flush=True)
    finally:
        HostileWorker.doClassCleanups()
    print(f"hostile_neighbour: worst median of ratios {worst:.2f} (goal 1.10)")
    return 0 if worst <= 1.10 else 1


if __name__ == "__main__":
    sys.exit(main())
