"""What a hostile model costs those who ask another one, beside what an honest busy one costs them.

Windows with the one and with the other take turns; the medians of all windows are compared.
"""

import argparse
import statistics
import sys
import threading
import time

import numpy as np

from e2e.hostile_worker_test import GREEDY, HANGS, HARMLESS, LIES, HostileWorker

WINDOW = 2.0


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


def window(case, rule, http, took):
    neighbour = Neighbour(case, rule)
    neighbour.start()
    x = np.array([1, 2, 3, 4], np.float32)
    end = time.monotonic() + WINDOW
    while time.monotonic() < end:
        start = time.monotonic()
        answer = case.infer(http, "honest", x)
        took.append(time.monotonic() - start)
        if answer.status_code != 200:
            raise SystemExit(f"{rule}: the honest model answered {answer.status_code}")
    neighbour.stopping.set()
    neighbour.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    case = HostileWorker()
    worst = 0.0
    HostileWorker.setUpClass()
    try:
        HostileWorker.upload("busy")
        with case.server.session(case.token) as http:
            for rule in (*LIES, *HARMLESS, *HANGS, *GREEDY):
                HostileWorker.upload(rule)
                busy, hostile = [], []
                for _ in range(options.rounds):
                    window(case, "busy", http, busy)
                    window(case, rule, http, hostile)
                ratio = statistics.median(hostile) / statistics.median(busy)
                worst = max(worst, ratio)
                print(f"{rule:12} busy neighbour {statistics.median(busy) * 1000:6.2f} ms, "
                      f"this one {statistics.median(hostile) * 1000:6.2f} ms, {ratio:.2f}",
                      flush=True)
    finally:
        HostileWorker.doClassCleanups()
    print(f"hostile_neighbour: worst ratio of medians {worst:.2f} (goal 1.10)")
    return 0 if worst <= 1.10 else 1


if __name__ == "__main__":
    sys.exit(main())
