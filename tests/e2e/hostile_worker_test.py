"""A worker that a model took over, through the whole server: it behaves on zeros and then no more.

The server is the real one, built to accept the hostile worker of `sandbox/linux`; what the worker
does is told by the name of its model's input. One honest model is asked all the time.
"""

import json
import pathlib
import shutil
import tempfile
import threading
import time
import unittest

import numpy as np
from onnx import TensorProto, helper

from e2e.case import PROGRAMS, npy, small_model
from e2e.isolation_test import RUNTIME
from e2e.identity import configuration
from support.server import Server

LIES = ("size", "shape", "range", "type", "rank", "name", "count", "version", "code", "text",
        "denied", "stale", "turn", "flood", "abort", "crash")
HARMLESS = ("fork", "descriptors")
HANGS = ("hang", "signals")
GREEDY = ("memory", "lane")


def model_for(rule):
    return small_model([helper.make_node("Identity", [rule], ["y"])],
                       [(rule, TensorProto.FLOAT, [4])], [("y", TensorProto.FLOAT, [4])])


class Steady(threading.Thread):
    """Asks the honest model all the time."""

    def __init__(self, case):
        super().__init__()
        self.case = case
        self.answers, self.wrong = 0, []
        self.begun, self.stopping = threading.Event(), threading.Event()

    def run(self):
        with self.case.server.session(self.case.token) as http:
            while not self.stopping.is_set():
                x = np.array([self.answers + 1, 2, 3, 4], np.float32)
                answer = self.case.infer(http, "honest", x)
                if answer.status_code != 200 or answer.content[-16:] != x.tobytes():
                    self.wrong.append((answer.status_code, answer.text[:100]))
                self.answers += 1
                self.begun.set()


class HostileWorker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        cls.addClassCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        (folder / "bin").mkdir()
        (folder / "lib" / "cloister").mkdir(parents=True)
        shutil.copy(PROGRAMS / "cloisterd-hostile", folder / "bin" / "cloisterd")
        shutil.copy(PROGRAMS / "hostile-worker", folder / "bin" / "cloister-sandbox")
        shutil.copy(RUNTIME, folder / "lib" / "cloister" / RUNTIME.name)
        config, pem = configuration(folder, owner="owner", run_threads=4, request_seconds_max=2,
                                    memory_budget_bytes=700 << 20)
        cls.server = Server(folder / "bin", folder, ("--create-store",), config=config)
        cls.addClassCleanup(cls.server.stop)
        with cls.server.session() as http:
            http.cert = pem
            cls.token = http.post(
                cls.server.url + "/v2/principals/owner/tokens").json()["token"]
        cls.http = cls.server.session(cls.token)
        cls.addClassCleanup(cls.http.close)
        cls.upload("honest")

    @classmethod
    def upload(cls, rule):
        name = rule.replace(" ", "-")
        stored = cls.http.put(cls.server.url + f"/v2/models/{name}/versions/1",
                              data=model_for(rule))
        if stored.status_code not in (200, 201):
            raise AssertionError(f"{rule}: {stored.text}")

    def infer(self, http, name, x):
        return http.post(self.server.url + f"/v2/models/{name}/infer", data=npy(x),
                         headers={"Content-Type": "application/x-npy",
                                  "Accept": "application/x-npy"})

    def setUp(self):
        self.steady = Steady(self)
        self.steady.start()
        self.assertTrue(self.steady.begun.wait(30))

    def tearDown(self):
        self.steady.stopping.set()
        self.steady.join()
        self.assertEqual(self.steady.wrong, [], "an honest model's callers noticed")

    def misbehave(self, rule):
        return self.infer(self.http, rule, np.array([1, 2, 3, 4], np.float32))

    def assert_serves_again(self, rule):
        zeros = np.zeros(4, np.float32)
        for _ in range(100):  # until the pause after a death is over
            answer = self.infer(self.http, rule, zeros)
            if answer.status_code != 503:
                break
            time.sleep(0.1)
        self.assertEqual(answer.status_code, 200, f"{rule}: {answer.text}")
        self.assertEqual(answer.content[-16:], zeros.tobytes())

    def test_costs_its_own_request_whatever_it_lies_about(self):
        for rule in LIES:
            with self.subTest(rule):
                self.upload(rule)
                answer = self.misbehave(rule)
                self.assertEqual(answer.status_code, 500, answer.text)
                self.assert_serves_again(rule)

    def test_gets_nothing_by_forking_or_opening(self):
        for rule in HARMLESS:
            with self.subTest(rule):
                self.upload(rule)
                answer = self.misbehave(rule)
                self.assertEqual((answer.status_code, answer.json()["error"]), (500, "made 0"))

    def test_is_ended_at_the_deadline_when_it_hangs_or_stops_itself(self):
        for rule in HANGS:
            with self.subTest(rule):
                self.upload(rule)
                # The first process of a namespace cannot stop itself: nothing happens to it.
                expected = (504,) if rule == "hang" else (200, 504)
                self.assertIn(self.misbehave(rule).status_code, expected)
                self.assert_serves_again(rule)

    def test_gets_no_memory_that_others_need(self):
        for rule in GREEDY:
            with self.subTest(rule):
                self.upload(rule)
                self.assertIn(self.misbehave(rule).status_code, (200, 500, 503, 504))
                self.assert_serves_again(rule)

    def test_changes_nothing_that_was_checked(self):
        self.upload("change")
        for _ in range(5):
            answer = self.misbehave("change")
            self.assertIn(answer.status_code, (200, 500, 503, 504), answer.text)
            if answer.status_code == 200:
                self.assertEqual(len(answer.content) % 64, 16)  # one header, four floats

    def test_is_quarantined_when_it_keeps_dying_and_its_owner_sees_it(self):
        rule = "abort"
        self.upload(rule)
        for _ in range(200):
            answer = self.misbehave(rule)
            if "kept dying" in answer.json()["error"]:
                break
            time.sleep(0.05)
        self.assertEqual(answer.status_code, 503)
        self.assertIn("Retry-After", answer.headers)
        listed = {each["name"]: each["state"]
                  for each in self.http.get(self.server.url + "/v2/models").json()}
        self.assertEqual((listed[rule], listed["honest"]), ("quarantined", "loaded"))
        ready = self.http.get(self.server.url + f"/v2/models/{rule}/ready")
        self.assertEqual((ready.status_code, ready.json()["ready"]), (503, False))
        index = self.http.post(self.server.url + "/v2/repository/index").json()
        self.assertIn("quarantined",
                      next(each["reason"] for each in index if each["name"] == rule))


if __name__ == "__main__":
    unittest.main()
