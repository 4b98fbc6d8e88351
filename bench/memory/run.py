"""How much memory an upload of an 830 MB model takes, sampled every 50 ms over all processes.

Through receiving, validating and sealing: at most 1.1 times the model's size plus 64 MiB. The trial
load that follows is measured apart, and so is the first answer.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from support import models  # noqa: E402
from support.rounds import goal  # noqa: E402
from support.served import Server  # noqa: E402

MIB = 1 << 20
INTERVAL = 0.05
SEALED = '"change":"sealed"'


def children_of(pid):
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            for child in (task / "children").read_text().split():
                found += children_of(int(child))
        except OSError:
            continue  # the thread ended while it was looked at
    return found


def proportional_bytes(pid):
    """Proportional set size: shared pages count once over all who share them."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # it ended
    return 0


class Sampler:
    """The highest sum over the server and its workers since `begin`, by phase."""

    def __init__(self, pid):
        self.pid = pid
        self.peaks = {}
        self.counts = {}
        self.phase = "idle"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(INTERVAL):
            phase = self.phase
            total = sum(proportional_bytes(pid) for pid in children_of(self.pid))
            self.peaks[phase] = max(self.peaks.get(phase, 0), total)
            self.counts[phase] = self.counts.get(phase, 0) + 1

    def stop(self):
        self._stop.set()
        self._thread.join()


def watch_for_seal(server, sampler, stop):
    """The server says in its log when the sealed file is complete: the trial load comes next."""
    while not stop.is_set():
        if any(SEALED in line for line in list(server.errors)):
            sampler.phase = "trial load"
            return
        stop.wait(0.005)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--quick", action="store_true", help="a 102 MB model instead of 830 MB")
    models.add_option(parser)
    options = parser.parse_args()
    name = "resnet50" if options.quick else "lm-830mb"
    models.make(options.suite, name)
    model = options.suite / f"{name}.onnx"
    size = model.stat().st_size
    inputs = model.with_name(f"{name}.input.npy").read_bytes()
    with tempfile.TemporaryDirectory(prefix="cloister-memory-") as folder:
        with Server(options.programs, folder) as server, server.session() as http:
            sampler = Sampler(server.process.pid)
            time.sleep(0.3)
            sampler.phase = "receive, validate, seal"
            stop = threading.Event()
            watcher = threading.Thread(target=watch_for_seal, args=(server, sampler, stop))
            watcher.start()
            started = time.monotonic()
            with open(model, "rb") as file:
                stored = http.put(f"{server.url}/v2/models/large/versions/1", data=file)
            uploaded = time.monotonic() - started
            stop.set()
            watcher.join()
            assert stored.status_code == 201, stored.text
            sampler.phase = "first answer"
            started = time.monotonic()
            answer = http.post(f"{server.url}/v2/models/large/infer", data=inputs,
                               headers={"Content-Type": "application/x-npy"})
            answered = time.monotonic() - started
            assert answer.status_code == 200, answer.text
            assert len(answer.content) > 1000
            sampler.stop()
            sealed = json.loads(
                next(line for line in server.errors if SEALED in line))["took_us"] / 1e6
    print(f"model: {name}, {size} bytes; uploaded in {uploaded:.1f} s, of which hashing, "
          f"validating and sealing {sealed:.1f} s; first answer after {answered:.1f} s")
    for phase, peak in sampler.peaks.items():
        print(f"{phase}: peak {peak / MIB:.0f} MiB in {sampler.counts[phase]} samples "
              f"({peak / size:.2f} times the model)")
    bound = 1.1 * size + 64 * MIB
    peak = sampler.peaks["receive, validate, seal"]
    met = goal(f"memory: {peak / MIB:.0f} MiB while receiving, validating and sealing "
               f"(goal {bound / MIB:.0f} MiB)", peak, bound)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
