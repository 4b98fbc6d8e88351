"""What one principal may have at most, through the running server; others do not suffer."""

import pathlib
import socket
import ssl
import tempfile
import time
import unittest

import numpy as np
import requests
from onnx import TensorProto

from e2e.case import PROGRAMS, identity_model, npy
from e2e.identity import configuration
from support.server import Server

RATE = 3
# More than the two kernels' buffers can hold of an answer that nobody reads.
ANSWER_BYTES = 2 * int(pathlib.Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])
PATIENCE = 60


class BoundedCase(unittest.TestCase):
    """A server with `bounds` in its configuration, its owner and a guest of his."""

    bounds = {}

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        config, certificate = configuration(folder, **self.bounds)
        self.server = Server(PROGRAMS, folder, ["--create-store"], config=config)
        self.addCleanup(self.server.stop)
        self.owner = self.server.session()
        self.owner.cert = certificate
        self.addCleanup(self.owner.close)

    def invite(self):
        """The guest's id and token."""
        made = self.owner.post(self.server.url + "/v2/principals",
                               json={"name": "guest", "role": "caller"})
        self.assertEqual(made.status_code, 201, made.text)
        guest = made.json()["principal"]
        minted = self.owner.post(self.server.url + f"/v2/principals/{guest}/tokens")
        self.assertEqual(minted.status_code, 201, minted.text)
        return guest, minted.json()["token"]


class Rate(BoundedCase):
    bounds = {"requests_per_second_per_principal_max": RATE}

    def test_refuses_past_a_seconds_worth_and_serves_again_and_others_meanwhile(self):
        _, token = self.invite()
        answers = [self.owner.get(self.server.url + "/v2/models") for _ in range(20 * RATE)]
        refused = [each for each in answers if each.status_code == 429]
        self.assertTrue(refused)
        self.assertLessEqual({each.status_code for each in answers}, {200, 429})
        self.assertEqual(refused[0].json()["code"], "busy")
        self.assertGreaterEqual(int(refused[0].headers["Retry-After"]), 1)
        with self.server.session(token) as other:
            self.assertEqual(other.get(self.server.url + "/v2/models").status_code, 200)
        self.assertEqual(self.owner.get(self.server.url + "/v2/health/live").status_code, 200)
        until = time.monotonic() + PATIENCE
        while self.owner.get(self.server.url + "/v2/models").status_code != 200:
            self.assertLess(time.monotonic(), until)


class Memory(BoundedCase):
    bounds = {"receiving_bytes_per_principal_max": ANSWER_BYTES * 5 // 2}

    def setUp(self):
        super().setUp()
        stored = self.owner.put(self.server.url + "/v2/models/m/versions/1",
                                data=identity_model(TensorProto.DOUBLE))
        self.assertEqual(stored.status_code, 201, stored.text)
        self.guest, self.token = self.invite()
        given = self.owner.put(self.server.url + "/v2/models/m/grants",
                               json={"principal": self.guest, "rights": ["infer"]})
        self.assertTrue(given.ok, given.text)
        self.body = npy(np.arange(ANSWER_BYTES // 8, dtype=np.float64))

    def connect(self):
        """A connection that takes in little of what it does not read."""
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        plain.settimeout(PATIENCE)
        plain.connect(self.server.address)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = context.wrap_socket(plain)
        self.addCleanup(connection.close)
        return connection

    def head(self):
        return ("POST /v2/models/clinic.m/infer HTTP/1.1\r\nhost: a\r\n"
                f"authorization: Bearer {self.token}\r\ncontent-type: application/x-npy\r\n"
                f"content-length: {len(self.body)}\r\n\r\n").encode()

    def test_refuses_tensors_that_outgrow_the_bound_once_decoded(self):
        count = ANSWER_BYTES * 3 // 8  # fits as text: "1," each
        answer = self.owner.post(
            self.server.url + "/v2/models/m/infer", headers={"Content-Type": "application/json"},
            data='{"inputs":[{"name":"x","shape":[%d],"datatype":"FP64","data":[%s]}]}'
            % (count, ",".join(["1"] * count)))
        self.assertEqual(answer.status_code, 413, answer.text[:300])
        self.assertIn("of memory", answer.json()["error"])

    def test_counts_answers_that_are_not_read(self):
        first, second, third = (self.connect() for _ in range(3))
        for each in (first, second):
            each.sendall(self.head() + self.body)
            self.assertIn(b" 200 ", each.recv(1024).splitlines()[0])
        third.sendall(self.head())
        self.assertIn(b" 429 ", third.recv(1024).splitlines()[0])
        served = self.owner.post(self.server.url + "/v2/models/m/infer", data=self.body,
                                 headers={"Content-Type": "application/x-npy"})
        self.assertEqual(served.status_code, 200)
        for each in (first, second):
            each.close()
        self.wait_until_served()

    def wait_until_served(self):
        until = time.monotonic() + PATIENCE
        with self.server.session(self.token) as guest:
            while time.monotonic() < until:
                try:
                    answer = guest.post(self.server.url + "/v2/models/clinic.m/infer",
                                        data=self.body,
                                        headers={"Content-Type": "application/x-npy"})
                except requests.ConnectionError:
                    continue  # refused before the whole body was sent
                if answer.status_code == 200:
                    return
        self.fail("the memory of answers to those who left still counts")


if __name__ == "__main__":
    unittest.main()
