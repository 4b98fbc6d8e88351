"""A thousand hostile connections beside honest clients, whose p99 at most doubles.

Heads and bodies that come a byte at a time, chunks of one byte, lengths that lie, compressed bombs,
answers that nobody reads, handshakes that never end, silence: of another principal, to whom the
model is granted. Honest clients ask for an inference of four floats, 50 times a second each.

Attackers, honest clients and server share this machine's processors. What the attackers compute is
no fault of the server's, whose attackers have machines of their own: theirs has what the others
leave (SCHED_IDLE), and how often they got round to each misuse is printed. p99 while they misuse
the server is compared with p99 without them, in turn. How much of that is theirs shows beside a
sink, which is the server's HTTP library with a handler that does nothing.

--connections, --seconds (of each measurement) and --rounds choose others; --memory the bound in MiB
on what the server grows by; --way one way of misusing it only.
"""

import argparse
import contextlib
import gzip
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading

from e2e.case import PROGRAMS, identity_model
from onnx import TensorProto
from support.server import Server

CLIENTS = PROGRAMS / "hostile_clients"
BOMB_BYTES = 64 << 20
HONEST = 4
LOOK_EVERY = 0.25


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line) >> 10


class Peak:
    """The most memory that a process has meanwhile, in MiB."""

    def __init__(self, pid):
        self.pid, self.mebibytes = pid, resident(pid)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self._end.wait(LOOK_EVERY):
            self.mebibytes = max(self.mebibytes, resident(self.pid))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def honest(server, token_file, seconds):
    """Median and 99th percentile in milliseconds, and how many requests."""
    done = subprocess.run([CLIENTS, "honest", str(server.address[1]), token_file, str(HONEST),
                           str(seconds)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit("an honest client was not served: " + done.stderr)
    times = [int(line) / 1e6 for line in done.stdout.split()]
    return statistics.median(times), statistics.quantiles(times, n=100)[98], len(times)


def give_way():
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


@contextlib.contextmanager
def attacked(port, token_file, bomb_file, connections, way):
    attackers = subprocess.Popen(
        [CLIENTS, "attack", str(port), token_file, bomb_file, str(connections), *way],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=give_way)
    assert attackers.stdout.readline() == "ready\n"
    yield
    out, _ = attackers.communicate("")
    print("  " + ", ".join(out.splitlines()), flush=True)


@contextlib.contextmanager
def sink():
    """The port of the sink."""
    serving = subprocess.Popen([CLIENTS, "sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
    yield int(serving.stdout.readline())
    serving.communicate("")


def attacker(server, session):
    """The token of a principal to whom the model is granted."""
    made = session.post(server.url + "/v2/principals", json={"name": "mallory", "role": "caller"})
    made.raise_for_status()
    principal = made.json()["principal"]
    session.put(server.url + "/v2/models/m/grants",
                json={"principal": principal, "rights": ["infer"]}).raise_for_status()
    minted = session.post(server.url + f"/v2/principals/{principal}/tokens")
    minted.raise_for_status()
    return minted.json()["token"]


def told(what, measured):
    median, tail, count = measured
    print(f"{what}: p50 {median:.2f} ms, p99 {tail:.2f} ms of {count}", flush=True)
    return tail


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, default=256)
    parser.add_argument("--way", nargs=1, default=[])
    arguments = parser.parse_args()
    alone, beside_sink, beside_server = [], [], []
    with tempfile.TemporaryDirectory(prefix="cloister-hostile-") as name:
        folder = pathlib.Path(name)
        bomb, own, granted = folder / "bomb", folder / "owner", folder / "mallory"
        bomb.write_bytes(gzip.compress(bytes(BOMB_BYTES)))
        with Server(PROGRAMS, folder / "server") as server:
            with server.session() as session:
                session.put(server.url + "/v2/models/m/versions/1",
                            data=identity_model(TensorProto.FLOAT, ("n", 4))).raise_for_status()
                granted.write_text(attacker(server, session))
            own.write_text(server.token)
            attack = bomb, arguments.connections, arguments.way
            honest(server, own, 5)
            idle = resident(server.process.pid)
            with Peak(server.process.pid) as peak:
                for _ in range(arguments.rounds):
                    alone.append(told("alone", honest(server, own, arguments.seconds)))
                    with sink() as port, attacked(port, granted, *attack):
                        beside_sink.append(told("attackers at the sink",
                                                honest(server, own, arguments.seconds)))
                    with attacked(server.address[1], granted, *attack):
                        beside_server.append(told("attackers at the server",
                                                  honest(server, own, arguments.seconds)))
            told("afterwards", honest(server, own, 10))
            growth = peak.mebibytes - idle
    theirs = statistics.median(b / a for a, b in zip(alone, beside_sink))
    ratio = statistics.median(b / a for a, b in zip(alone, beside_server))
    print(f"hostile_connections: attackers at a sink make p99 {theirs:.2f} times as long")
    print(f"hostile_connections: p99 is {ratio:.2f} times that without attackers (goal 2)")
    print(f"hostile_connections: memory grows by {growth} MiB (goal {arguments.memory})")
    return 0 if ratio <= 2 and growth <= arguments.memory else 1


if __name__ == "__main__":
    sys.exit(main())
