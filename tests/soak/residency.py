"""40 models of 100 MB under a budget of 1 GiB: 16 clients ask at random for 10 minutes.

Meanwhile the memory of all processes together (sum of PSS) is read every 50 ms. Every answer is
compared with what the model computes. What is answered 429 or 503 is asked again and counts as
answered late; so is what did not reach the server whole, as a client that gets no processor is too
slow for it. Whatever reached it whole and got no answer is lost.
"""

import argparse
import http.client
import multiprocessing
import os
import pathlib
import random
import ssl
import sys
import tempfile
import threading
import time

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from e2e.case import PROGRAMS, npy
from e2e.identity import configuration
from support.processes import family_of, has_memory_of
from support.server import Server

WIDTH = 5120  # a square matrix of that many floats is 100 MiB
MIB = 1 << 20


def model_of(matrix):
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "soak",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, WIDTH])],
        [numpy_helper.from_array(matrix, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


def pss_of(pid):
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Sampler:
    """Sums PSS every 50 ms, or as fast as the kernel tells, in a process of its own: at the usual
    priority even where the run itself is in the background."""

    def __init__(self, pid):
        context = multiprocessing.get_context("fork")
        self.most = context.Value("q")
        self.stopping = context.Event()
        self.found, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=self._run, args=(pid, theirs), daemon=True)

    def start(self):
        self.process.start()

    def stop(self):
        """All sums, and the longest time between two."""
        self.stopping.set()
        result = self.found.recv()
        self.process.join()
        return result

    def _run(self, pid, found):
        try:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, 0, 0)
        except PermissionError:
            pass
        sums, longest = [], 0.0
        last = time.monotonic()
        while not self.stopping.is_set():
            sums.append(sum(pss_of(each) for each in family_of(pid)
                            if not has_memory_of(each, pid)))
            self.most.value = max(self.most.value, sums[-1])
            now = time.monotonic()
            longest = max(longest, now - last)
            self.stopping.wait(max(0.0, 0.05 - (now - last)))
            last = time.monotonic()
        found.send((sums, longest))


class Connection:
    """One client's, made anew before the server may find it idle for too long."""

    IDLE_MAX = 30

    def __init__(self, server, token, context):
        self.server, self.context = server, context
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-npy",
                        "Accept": "application/x-npy"}
        self.open, self.used = None, 0.0

    def close(self):
        if self.open:
            self.open.close()
        self.open = None

    def send(self, path, body):
        """Whether all of it went out."""
        if time.monotonic() - self.used > self.IDLE_MAX:
            self.close()
        try:
            if not self.open:
                made = http.client.HTTPSConnection(*self.server.address, context=self.context)
                made.connect()
                self.open = made
            self.open.request("POST", path, body, self.headers)
            return True
        except OSError:
            self.close()
            return False

    def receive(self):
        """The answer, with its `content`."""
        try:
            answer = self.open.getresponse()
            answer.content = answer.read()
        except Exception:
            self.close()
            raise
        self.used = time.monotonic()
        if answer.will_close:
            self.close()
        return answer


class Clients:
    def __init__(self, server, token, matrix, count):
        self.server, self.token, self.matrix, self.count = server, token, matrix, count
        self.context = ssl.create_default_context(cadata=server.certificate())
        self.context.check_hostname = False
        self.end = 0.0
        self.lock = threading.Lock()
        self.answers, self.retries, self.unsent = 0, 0, 0
        self.wrong, self.lost, self.took = [], [], []

    def again(self, connection, path, body):
        """The answer, asked for until it is neither 429 nor 503."""
        while True:
            if not connection.send(path, body):
                with self.lock:
                    self.unsent += 1
                time.sleep(1)
                continue
            answer = connection.receive()
            if answer.status not in (408, 429, 503):
                return answer
            with self.lock:
                self.unsent += answer.status == 408
                self.retries += answer.status != 408
            time.sleep(float(answer.headers.get("Retry-After", 1)))

    def ask(self, connection, choice, which):
        x = choice.standard_normal((1, WIDTH)).astype(np.float32)
        start = time.monotonic()
        answer = self.again(connection, f"/v2/models/m{which}/infer", npy(x))
        took = time.monotonic() - start
        if answer.status != 200:
            return f"{answer.status}: {answer.content[:200]}", None, None
        y = np.frombuffer(answer.content[-4 * WIDTH:], np.float32)
        # The model's matrix is the common one with its rows moved on by `which`.
        expected = (np.roll(x, -which, axis=1) @ self.matrix)[0]
        return None, bool(np.allclose(y, expected, rtol=1e-3, atol=1e-2)), took

    def run(self, number):
        choice = np.random.default_rng(number)
        pick = random.Random(number)
        connection = Connection(self.server, self.token, self.context)
        while time.monotonic() < self.end:
            which = pick.randrange(self.count)
            try:
                lost, right, took = self.ask(connection, choice, which)
            except Exception as error:  # what was sent and not answered is lost
                lost, right, took = repr(error), None, None
            with self.lock:
                if lost:
                    self.lost.append(lost)
                elif not right:
                    self.wrong.append(which)
                else:
                    self.answers += 1
                    self.took.append(took)
        connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--models", type=int, default=40)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--budget-mib", type=int, default=1024)
    parser.add_argument("--folder", help="where the store is kept for the next run")
    options = parser.parse_args()
    matrix = np.random.default_rng(1).standard_normal((WIDTH, WIDTH)).astype(np.float32)
    with tempfile.TemporaryDirectory(prefix="cloister-soak-") as temporary:
        folder = options.folder or temporary
        config, pem = configuration(temporary, owner="owner", store=folder + "/store",
                                    request_seconds_max=600,
                                    memory_budget_bytes=options.budget_mib * MIB)
        with Server(PROGRAMS, folder, ("--create-store",), config=config) as server:
            return soak(server, pem, matrix, options)


def soak(server, pem, matrix, options):
    with server.session() as owner:
        owner.cert = pem
        token = owner.post(server.url + "/v2/principals/owner/tokens").json()["token"]
    with server.session(token) as owner:
        there = {each["name"] for each in owner.get(server.url + "/v2/models").json()}
        for which in range(options.models):
            if f"m{which}" in there:
                continue
            stored = owner.put(server.url + f"/v2/models/m{which}/versions/1",
                               data=model_of(np.roll(matrix, which, axis=0)))
            if stored.status_code != 201:
                raise SystemExit(f"upload: {stored.status_code} {stored.text}")
    print(f"{options.models} models of {matrix.nbytes / MIB:.0f} MiB stored", flush=True)
    sampler = Sampler(server.process.pid)
    clients = Clients(server, token, matrix, options.models)
    clients.end = time.monotonic() + options.seconds
    threads = [threading.Thread(target=clients.run, args=(i,)) for i in range(options.clients)]
    sampler.start()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(15)
        print(f"answers {clients.answers}, asked again {clients.retries}, not sent whole "
              f"{clients.unsent}, wrong {len(clients.wrong)}, lost {len(clients.lost)}, "
              f"memory up to {sampler.most.value / MIB:.0f} MiB", flush=True)
    for thread in threads:
        thread.join()
    sums, longest = sampler.stop()
    most, bound = max(sums), options.budget_mib * MIB * 1.05
    over = sum(each > bound for each in sums)
    took = sorted(clients.took) or [0.0]
    print(f"answers {clients.answers}, asked again {clients.retries}, not sent whole and sent "
          f"again {clients.unsent}, median {took[len(took) // 2]:.2f} s, longest {took[-1]:.2f} s")
    print(f"memory: {len(sums)} samples, longest gap {longest * 1000:.0f} ms, "
          f"median {sorted(sums)[len(sums) // 2] / MIB:.0f} MiB")
    for lost in clients.lost[:5]:
        print("lost:", lost)
    print(f"residency: most memory {most / MIB:.0f} MiB, {over} samples over "
          f"(goal {bound / MIB:.0f} MiB, 0)")
    print(f"residency: wrong answers {len(clients.wrong)}, lost {len(clients.lost)} (goal 0, 0)")
    return 0 if most <= bound and not clients.wrong and not clients.lost else 1


if __name__ == "__main__":
    sys.exit(main())
