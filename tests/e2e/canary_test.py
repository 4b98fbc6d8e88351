"""No token, tensor, weight or key leaves the processes in the clear, in any form, at any place.

One server does everything that it can do; then all that others can see is searched. The search
itself is tested: whatever is planted, in each form and at each place, is found.
"""

import base64
import concurrent.futures
import gzip
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import types
import unittest
import urllib.request

import numpy as np
from onnx import TensorProto, helper

from e2e.case import PROGRAMS, npy, npz, small_model
from e2e.identity import configuration
from e2e.sealed_test import sealed_for
from support.canaries import Search, files_below, forms, of_process
from support.processes import family_of
from support.server import Server
from support.watch import Watch

WIDTH = 16
NPY = {"Content-Type": "application/x-npy"}
SHARED = pathlib.Path("/dev/shm")
ROOT_KEY = "store/insecure-simulation-root.key"  # what the simulation keeps in the clear


def canary(seed):
    """Floats from 1 to 2, random in all of their digits; none of them is round."""
    floats = 1 + np.random.default_rng([seed, os.getpid()]).random((1, WIDTH))
    return (floats.astype(np.float32).view(np.uint32) | 1).view(np.float32)


def model_with(weights):
    return small_model(
        [helper.make_node("Mul", ["x", "w"], ["y"])], [("x", TensorProto.FLOAT, ["n", WIDTH])],
        [("y", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor("w", TensorProto.FLOAT, [1, WIDTH], weights.tobytes(), raw=True)])


class Canary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.tensor, cls.weights, cls.sealed_weights = map(canary, range(3))
        cls.search = Search()
        cls.add_tensor("tensor", cls.tensor)
        cls.add_tensor("weights", cls.weights)
        cls.add_tensor("sealed weights", cls.sealed_weights)
        cls.add_tensor("result", cls.tensor * cls.weights)
        cls.seen = []  # (place, bytes): answers to others, collected on the way
        cls.shared_before = set(SHARED.iterdir()) if SHARED.exists() else set()
        config, cls.certificate = configuration(cls.folder, log_requests=True, metrics=True,
                                                metrics_port=0)
        work = cls.folder / "work"
        work.mkdir()
        # A crash would leave its core where the server runs.
        cls.server = Server(PROGRAMS.resolve(), cls.folder, ("--create-store",), config=config,
                            prefix=("prlimit", "--core=unlimited", "env", "-C", str(work)))
        cls.addClassCleanup(cls.server.stop)
        cls.owner = cls.server.session()
        cls.owner.cert = cls.certificate
        cls.addClassCleanup(cls.owner.close)
        root_key = (cls.folder / ROOT_KEY).read_bytes()
        cls.allowed = {("root key", ROOT_KEY), ("root key", f"open: {cls.folder / ROOT_KEY}")}
        cls.search.add("root key", root_key[:len(root_key) // 16 * 16])

    @classmethod
    def add_tensor(cls, name, array):
        cls.search.add(name, array.tobytes(), element=4)

    def url(self, path):
        return self.server.url + path

    def new_session(self, name, role):
        """(id, session) of a principal of the owner's, whose token is a secret from now on."""
        made = self.owner.post(self.url("/v2/principals"), json={"name": name, "role": role})
        self.assertEqual(made.status_code, 201, made.text)
        principal = made.json()["principal"]
        token = self.owner.post(self.url(f"/v2/principals/{principal}/tokens")).json()["token"]
        self.search.add("token", token.encode())
        self.search.add("token", base64.urlsafe_b64decode(token[5:] + "="))
        session = self.server.session(token)
        self.addCleanup(session.close)
        return principal, session

    def upload(self, name, content, version=1):
        return self.owner.put(self.url(f"/v2/models/{name}/versions/{version}"), data=content)

    def infer(self, session, model, body, **headers):
        return session.post(self.url(f"/v2/models/{model}/infer"), data=body,
                            headers={**NPY, **headers})

    def requests_in_all_forms(self):
        """(body, headers) that are served, and such as are not."""
        x = self.tensor
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, WIDTH]}
        text = json.dumps({"inputs": [{**tensor, "data": x.ravel().tolist()}]}).encode()
        head = json.dumps({"inputs": [{**tensor, "parameters": {
            "binary_data_size": x.nbytes}}]}).encode()
        split = {"Content-Type": "application/octet-stream",
                 "Inference-Header-Content-Length": str(len(head))}
        served = [
            (npy(x), {}), (npz(x=x), {"Content-Type": "application/x-npz"}),
            (text, {"Content-Type": "application/json"}), (head + x.tobytes(), split),
            (gzip.compress(text), {"Content-Type": "application/json",
                                   "Content-Encoding": "gzip"}),
            (npy(x), {"Cloister-Receipt": "want", "Cloister-Receipt-Nonce": "QUJD"})]
        refused = [
            (npy(x[:, :5]), {}), (npy(x.astype(np.float64)), {}), (npz(z=x), served[1][1]),
            (text.replace(b'"x"', b'"z"'), {"Content-Type": "application/json"}),
            (text[:-9], {"Content-Type": "application/json"}), (npy(x)[:-3], {}),
            (head + x.tobytes()[:-1], split), (x.tobytes(), {}),
            (text, {"Content-Type": "application/json", "Content-Encoding": "gzip"})]
        return served, refused

    def note(self, place, answer):
        self.seen.append((place, answer.content + repr(dict(answer.headers)).encode()))

    def kill_a_worker(self, ended_by):
        """Ends the worker that runs models, as a fault of the runtime would."""
        for pid in family_of(self.server.process.pid)[1:]:
            try:
                os.kill(pid, ended_by)
            except ProcessLookupError:
                pass

    def served_again(self, session, model):
        deadline = time.monotonic() + 60
        while self.infer(session, model, npy(self.tensor)).status_code != 200:
            self.assertLess(time.monotonic(), deadline)

    def do_everything(self):
        caller, calling = self.new_session("bank", "caller")
        _, other_owner = self.new_session("lab", "owner")
        _, operating = self.new_session("desk", "operator")
        self.assertEqual(self.upload("scorer", model_with(self.weights)).status_code, 201)
        for body in (model_with(self.weights)[:-40], b"\x08" + self.weights.tobytes()):
            self.assertIn(self.upload("broken", body).status_code, (400, 422))
        grant = {"principal": caller, "rights": ["infer"], "receipts": "always"}
        given = self.owner.put(self.url("/v2/models/scorer/grants"), json=grant)
        self.assertEqual(given.status_code, 200, given.text)
        served, refused = self.requests_in_all_forms()
        for body, headers in served:
            for session, name in ((self.owner, "scorer"), (calling, "clinic.scorer")):
                answer = self.infer(session, name, body, **headers)
                self.assertEqual(answer.status_code, 200, answer.text)
            self.assertIn("Cloister-Receipt", answer.headers)
        for body, headers in refused:
            self.assertGreaterEqual(self.infer(calling, "clinic.scorer", body,
                                               **headers).status_code, 400)
        sealed = sealed_for(self.server, self.folder / "sealing", "carried",
                            "--any-configuration", owner="clinic",
                            model=model_with(self.sealed_weights))
        self.assertEqual(self.upload("carried", sealed[:-1]).status_code, 422)
        self.assertEqual(self.upload("carried", sealed).status_code, 201)
        self.assertEqual(self.infer(self.owner, "carried", npy(self.tensor)).status_code, 200)
        self.batch(calling)
        for ended_by in (signal.SIGSEGV, signal.SIGABRT):
            self.kill_a_worker(ended_by)
            self.served_again(calling, "clinic.scorer")
        for body, headers in served + refused:
            for place, session in (("another owner's answers", other_owner),
                                   ("the operator's answers", operating)):
                self.note(place, self.infer(session, "clinic.scorer", body, **headers))
        with self.server.session(token="") as stranger:
            self.note("a stranger's answers", self.infer(stranger, "clinic.scorer", served[0][0]))
            for path in ("/v2", "/v2/attestation?nonce=QUJDREVGR0hJSktMTU5PUA"):
                self.note("a stranger's answers", stranger.get(self.url(path)))
        for place, session in (("another owner's answers", other_owner),
                               ("the operator's answers", operating),
                               ("the owner's answers", self.owner)):
            for path in ("/v2/audit", "/v2/audit/server", "/v2/usage", "/v2/principals",
                         "/v2/models", "/v2/models/stats"):
                self.note(f"{place}: {path}", session.get(self.url(path)))
        self.assertEqual(self.owner.delete(
            self.url("/v2/models/carried/versions/1")).status_code, 200)

    def batch(self, calling):
        config = json.dumps({"max_batch_size": 4, "dynamic_batching": {
            "preferred_batch_size": [4], "max_queue_delay_microseconds": 100_000}})
        loaded = self.owner.post(self.url("/v2/repository/models/scorer/load"),
                                 json={"parameters": {"config": config}})
        self.assertEqual(loaded.status_code, 200, loaded.text)
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            answers = threads.map(lambda _: self.infer(calling, "clinic.scorer",
                                                       npy(self.tensor)), range(8))
            self.assertEqual({each.status_code for each in answers}, {200})

    def running_places(self):
        """What the server shows while it runs."""
        with urllib.request.urlopen(self.server.metrics, timeout=10) as answer:
            yield "metrics", answer.read()
        for pid in family_of(self.server.process.pid):
            yield from of_process(pid)

    def lasting_places(self):
        """What it leaves: log, store, whatever lies where it ran, a crash's core among it."""
        yield "log", "".join(self.server.errors).encode()
        for name in ("store", "work"):
            for path, content in files_below(self.folder / name):
                yield f"{name}/{path}", content
        if SHARED.exists():
            for path in set(SHARED.iterdir()) - self.shared_before:
                if path.is_file():
                    yield str(path), path.read_bytes()
        yield from self.seen

    def planted_in_each_form(self):
        secret = self.tensor.tobytes()
        head, rest = secret[:16], secret[16:]
        for form, needles in forms(secret, element=4).items():
            for needle in sorted(needles):
                yield form, b"before" + needle + b"after"
        for prefix in (b"", b"a", b"ab"):
            yield "base64", base64.b64encode(prefix + head + rest)
        numbers = self.tensor.ravel()
        for text in (repr(numbers.tolist()), json.dumps([float(numbers[3])]),
                     " ".join(f"{each:.7g}" for each in numbers), f"{numbers[0]:.6f}",
                     str([int(each) for each in head]), str(int(numbers.view(np.uint32)[1]))):
            yield "decimal", text.encode()
        yield "hexadecimal", secret.hex().encode()
        yield "turned around", numbers.astype(">f4").tobytes()
        yield "turned around", secret[::-1]

    def test_a_finds_whatever_is_planted_in_each_form(self):
        count = 0
        for form, content in self.planted_in_each_form():
            found = self.search.finds([("planted", content)])
            self.assertIn((f"tensor, {form}", "planted"), found, content)
            count += 1
        self.assertGreater(count, 50)
        self.assertEqual(self.search.finds([("noise", os.urandom(1 << 20))]), [])

    def test_b_finds_whatever_is_planted_at_each_place(self):
        secret = self.tensor.tobytes()
        text = secret.hex()
        holder = ("import sys, tempfile\n"
                  "file = tempfile.TemporaryFile()\n"
                  "file.write(bytes.fromhex(sys.stdin.readline()))\n"
                  "file.flush(); print('ready', flush=True); sys.stdin.read()")
        child = subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True, env={"LEAK": text})
        try:
            child.stdin.write(text + "\n")
            child.stdin.flush()
            child.stdout.readline()
            found = {place.split(":")[0] for _, place in
                     self.search.finds(of_process(child.pid))}
        finally:
            child.stdin.close()
            child.wait(timeout=60)
            child.stdout.close()
        self.assertEqual(found, {"open", "environ of a process"})
        planted = [self.folder / "store" / "vault" / "leak", self.folder / "work" / "core"]
        if SHARED.exists():
            planted.append(SHARED / f"cloister-canary-{os.getpid()}")
        self.server.errors.append(text)
        self.seen.append(("answers", secret))
        for path in planted:
            path.write_bytes(b"x" * 7 + secret)
        try:
            found = {place for _, place in self.search.finds(self.lasting_places(), self.allowed)}
        finally:
            self.server.errors.remove(text)
            self.seen.remove(("answers", secret))
            for path in planted:
                path.unlink()
        self.assertEqual(found, {"log", "answers", "store/vault/leak", "work/core",
                                 *map(str, planted[2:])})

    def test_c_finds_nothing_of_what_the_server_was_given(self):
        (self.folder / "sealing").mkdir()
        self.do_everything()
        found = self.search.finds(self.running_places(), self.allowed)
        self.assertEqual(self.server.stop(), 0, "".join(self.server.errors))
        found += self.search.finds(self.lasting_places(), self.allowed)
        self.assertEqual(found, [])
        self.assertEqual(list((self.folder / "work").iterdir()), [], "a core or something else")
        self.assertGreater(len(self.server.errors), 50)


class Watched(unittest.TestCase):
    """The watch on every server of this suite (support/watch.py), and that it finds a leak."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.watch = Watch()
        self.server = Server(PROGRAMS, pathlib.Path(temporary.name) / "server", watch=self.watch)
        self.addCleanup(self.server.stop)
        self.tensor, self.weights = canary(7), canary(8)
        with self.server.session() as owner:
            url = self.server.url + "/v2/models/m"
            stored = owner.put(url + "/versions/1", data=model_with(self.weights))
            self.assertEqual(stored.status_code, 201, stored.text)
            ran = owner.post(url + "/infer", data=npy(self.tensor), headers=NPY)
            self.assertEqual(ran.status_code, 200, ran.text)

    def error_to(self, token, content):
        request = types.SimpleNamespace(method="GET", url=self.server.url, body=None,
                                        headers={"Authorization": f"Bearer {token}"})
        self.watch.hear(types.SimpleNamespace(request=request, status_code=422, content=content))

    def assert_found(self, secret, place, shown=()):
        with self.assertRaises(AssertionError) as caught:
            self.watch.judge(self.server, shown)
        self.assertRegex(str(caught.exception), rf"\('{secret} \d+, [a-z0-9 ]+', '{place}'\)")

    def test_finds_what_is_planted_and_nothing_else(self):
        self.error_to(self.server.token, self.weights.tobytes())  # he sent them
        self.watch.judge(self.server, self.watch.shown_by(self.server))
        self.assert_found("token", "metrics", [("metrics", self.server.token.encode())])
        self.server.errors.append(self.tensor.tobytes().hex())
        self.assert_found("numbers", "log")
        self.server.errors.pop()
        leak = self.server.store / "vault" / "leak"
        leak.write_bytes(base64.b64encode(b"x" + self.tensor.tobytes()))
        self.assert_found("numbers", "store/vault/leak")
        leak.unlink()
        self.watch.judge(self.server)
        self.error_to("another", self.weights.tobytes())
        with self.assertRaises(AssertionError):
            self.server.stop()


if __name__ == "__main__":
    unittest.main()
