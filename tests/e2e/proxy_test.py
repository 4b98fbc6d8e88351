"""`cloister proxy`: unchanged clients through it, and whom it turns away."""

import concurrent.futures
import http.client
import io
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import numpy as np
import requests
import tritonclient.http as triton
from onnx import TensorProto, helper

from e2e.case import (DEMO, PROGRAMS, ServerCase, demo_model, identity_model, npy, small_model)
from support.local_proxy import Forwarder, LocalProxy
from support.server import Server

MIB = 1 << 20


class ProxyCase(ServerCase):
    proxy_arguments = ("--allow-simulation",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.forwarder = Forwarder(cls.server.address)
        cls.addClassCleanup(cls.forwarder.close)
        cls.proxy = LocalProxy(PROGRAMS, f"https://127.0.0.1:{cls.forwarder.port}",
                               *cls.proxy_arguments, token=cls.server.token)
        cls.addClassCleanup(cls._stop_proxy)
        for name, model in (("digits", demo_model("digits")), ("same", identity_model())):
            stored = cls.http.put(f"{cls.server.url}/v2/models/{name}/versions/1", data=model)
            assert stored.status_code == 201, stored.text

    @classmethod
    def _stop_proxy(cls):
        code, said = cls.proxy.stop()
        if code != 0:
            raise AssertionError(f"the proxy ended with {code}: {said}")

    def ask(self, path="/v2", method="GET", **headers):
        return requests.request(method, self.proxy.url + path, headers=headers, timeout=60)

    def raw(self, text, stay=False):
        """What comes back for these very bytes, up to the end of the connection."""
        with socket.create_connection(self.proxy.address, timeout=60) as peer:
            peer.sendall(text)
            if not stay:
                peer.shutdown(socket.SHUT_WR)
            received = b""
            while piece := peer.recv(65536):
                received += piece
            return received


class Proxy(ProxyCase):
    @property
    def authorized(self):
        return {"Authorization": f"Bearer {self.server.token}"}

    # Refusals.

    def test_turns_web_pages_away(self):
        for headers in ({"Host": "rebound.example"}, {"Host": "rebound.example:80"},
                        {"Host": f"localhost.example:{self.proxy.address[1]}"},
                        {"Origin": "https://page.example"}, {"Origin": "null"},
                        {"Origin": self.proxy.url}, {"Sec-Fetch-Site": "cross-site"},
                        {"Referer": "https://page.example/"}):
            for method in ("GET", "POST", "OPTIONS"):
                with self.subTest(f"{method} {headers}"):
                    answer = self.ask("/v2/models", method, **headers)
                    self.assert_error(answer, 403, "denied")
                    self.assertFalse([name for name in answer.headers
                                      if name.lower().startswith("access-control")])

    def test_adds_no_token_unless_it_is_told_to(self):
        self.assert_error(self.ask("/v2/models"), 401, "unauthenticated")
        self.assertEqual(self.ask("/v2/models", **self.authorized).status_code, 200)

    def test_serves_nothing_but_the_protocol(self):
        for path in ("/", "/metrics", "/v2/../metrics", "/v3"):
            prepared = requests.Request("GET", self.proxy.url).prepare()
            prepared.url = self.proxy.url + path
            with requests.Session() as session:
                self.assertIn(session.send(prepared).status_code, (400, 404), path)

    def test_lets_no_second_request_hide_in_a_first(self):
        host = f"Host: 127.0.0.1:{self.proxy.address[1]}\r\n".encode()
        hidden = b"GET /v2 HTTP/1.1\r\n" + host + b"\r\n"
        for head in (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                     b"Content-Length: 4\r\nContent-Length: 5\r\n", b"Content-Length: 4, 4\r\n",
                     b"Transfer-Encoding: chunked, identity\r\n", b"Content-Length: -1\r\n",
                     b"Transfer-Encoding : chunked\r\n", b"X: a\nContent-Length: 4\r\n",
                     b"Content-Length: 4\r\n folded\r\n", b"X: a\0b\r\n"):
            with self.subTest(head):
                received = self.raw(b"POST /v2/models/m/infer HTTP/1.1\r\n" + host + head +
                                    b"\r\n0\r\n\r\n" + hidden)
                self.assertEqual(received.count(b"HTTP/1.1 "), 1, received)
                self.assertTrue(received.startswith(b"HTTP/1.1 4"), received)
        for line in (b"CONNECT a.example:443", b"GET https://a.example/v2", b"GET a.example:80",
                     b"OPTIONS *", b"TRACE /v2", b"GET /v2\r\n"):
            received = self.raw(line + b" HTTP/1.1\r\n" + host + b"\r\n" + hidden)
            self.assertEqual(received.count(b"HTTP/1.1 "), 1, received)
            self.assertTrue(received.startswith(b"HTTP/1.1 4"), received)

    def test_bounds_what_one_client_may_hold(self):
        self.assertIn(b" 431 ", self.raw(b"GET /v2 HTTP/1.1\r\nX: " + b"a" * 20000, stay=True))
        self.assertIn(b" 431 ", self.raw(b"GET /v2 HTTP/1.1\r\n" + b"X: a\r\n" * 2000 +
                                         b"\r\n", stay=True))
        self.assertIn(b" 400 ", self.raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", stay=True))
        host = f"Host: localhost:{self.proxy.address[1]}\r\n".encode()
        crumbs = b"POST /v2/models/same/infer HTTP/1.1\r\n" + host + \
            f"Authorization: Bearer {self.server.token}\r\n".encode() + \
            b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 10000
        self.assertIn(b" 413 ", self.raw(crumbs, stay=True))

    def test_goes_on_while_many_clients_dawdle(self):
        slow = [socket.create_connection(self.proxy.address) for _ in range(200)]
        try:
            for each in slow[:20]:
                each.sendall(b"GET /v2 HTTP/1.1\r\nHost:")
            self.assertEqual(self.ask().status_code, 200)
        finally:
            for each in slow:
                each.close()

    # Unchanged clients.

    def test_carries_requests_of_real_size_both_ways_in_little_memory(self):
        before = self.proxy.memory_peak()
        rows = np.random.default_rng(1).random(48 * MIB // 4, dtype=np.float32)
        headers = {**self.authorized, "Content-Type": "application/x-npy",
                   "Accept": "application/x-npy"}
        answer = requests.post(self.proxy.url + "/v2/models/same/infer", data=npy(rows),
                               headers=headers, timeout=120)
        self.assertEqual(answer.status_code, 200, answer.text[:200])
        np.testing.assert_array_equal(np.load(io.BytesIO(answer.content)), rows)

        def pieces():
            whole = npy(rows)
            for at in range(0, len(whole), MIB):
                yield whole[at:at + MIB]

        chunked = requests.post(self.proxy.url + "/v2/models/same/infer", data=pieces(),
                                headers=headers, timeout=120)
        self.assertTrue(chunked.content == answer.content)  # no difference printed: it is long
        self.assertLess(self.proxy.memory_peak() - before, 16 * MIB)

    def test_uploads_a_model_with_curl_and_its_expectation(self):
        weights = np.random.default_rng(2).random((1024, 4096), dtype=np.float32)
        model = small_model(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            [("x", TensorProto.FLOAT, ["n", 1024])], [("y", TensorProto.FLOAT, ["n", 4096])],
            [helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.tobytes(), True)])
        file = self.folder / "large.onnx"
        file.write_bytes(model)
        target = f"{self.proxy.url}/v2/models/large/versions/1"
        for token, status in (("clst_" + "A" * 43, "401"), (self.server.token, "201")):
            done = subprocess.run(
                ["curl", "-sS", "--noproxy", "*", "-T", str(file), "-o", os.devnull, "-w",
                 "%{http_code}", "-H", f"Authorization: Bearer {token}", target],
                capture_output=True, text=True, timeout=120)
            self.assertEqual(done.stdout, status, done.stderr)

    def test_serves_tritons_python_client(self):
        with self._triton() as client:
            self.assertTrue(client.is_server_live())
            self.assertTrue(client.is_model_ready("digits", headers=self.authorized))
            metadata = client.get_model_metadata("digits", headers=self.authorized)
            name, image = metadata["inputs"][0]["name"], np.load(DEMO / "digits.inputs.npy")
            for binary in (True, False):
                tensor = triton.InferInput(name, image.shape, "FP32")
                tensor.set_data_from_numpy(image.astype(np.float32), binary_data=binary)
                outputs = [triton.InferRequestedOutput(each["name"], binary_data=binary)
                           for each in metadata["outputs"]]
                result = client.infer("digits", [tensor], outputs=outputs,
                                      headers=self.authorized)
                self.assertEqual(len(result.as_numpy(metadata["outputs"][0]["name"])),
                                 len(image))

    def _triton(self):
        host, port = self.proxy.address
        return triton.InferenceServerClient(f"{host}:{port}", concurrency=4,
                                            network_timeout=60, connection_timeout=60)

    def test_serves_many_parallel_clients_with_few_connections_upstream(self):
        rows = np.arange(1000, dtype=np.float32)
        headers = {**self.authorized, "Content-Type": "application/x-npy",
                   "Accept": "application/x-npy"}

        def one(index):
            with requests.Session() as session:
                for _ in range(4):
                    answer = session.post(self.proxy.url + "/v2/models/same/infer",
                                          data=npy(rows + index), headers=headers, timeout=120)
                    if answer.status_code != 200:
                        return answer.text
                    if not np.array_equal(np.load(io.BytesIO(answer.content)), rows + index):
                        return "another client's answer"
            return ""

        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            self.assertEqual(set(pool.map(one, range(40))), {""})

    def test_keeps_a_connection_for_pipelined_requests(self):
        host = f"Host: 127.0.0.1:{self.proxy.address[1]}\r\n"
        text = f"GET /v2/health/live HTTP/1.1\r\n{host}\r\n" * 5
        text += f"HEAD /v2 HTTP/1.1\r\n{host}Connection: close\r\n\r\n"
        received = self.raw(text.encode(), stay=True)
        self.assertEqual(received.count(b"HTTP/1.1 200 OK\r\n"), 6, received)
        self.assertTrue(received.endswith(b"\r\n\r\n"))

    # Trouble upstream.

    def test_asks_once_more_where_a_kept_connection_broke(self):
        for _ in range(5):
            self.assertEqual(self.ask().status_code, 200)
            self.forwarder.cut()

    def test_says_that_the_server_is_gone_and_uses_it_when_it_is_back(self):
        target = self.forwarder.target
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            self.forwarder.target = nobody.getsockname()
            self.forwarder.cut()
            answer = self.ask()
            self.assertIn(answer.status_code, (502, 503))
            self.assertEqual(answer.json()["code"], "unavailable")
        self.forwarder.target = target
        self.assertEqual(self.ask().status_code, 200)


class ProxyWithToken(ProxyCase):
    proxy_arguments = ("--allow-simulation", "--add-token")

    def test_adds_the_token_where_a_client_brings_none(self):
        self.assertEqual(self.ask("/v2/models").status_code, 200)
        self.assert_error(self.ask("/v2/models", Authorization="Bearer clst_" + "A" * 43), 401,
                          "unauthenticated")
        self.assertNotIn(self.server.token, pathlib.Path(
            f"/proc/{self.proxy.process.pid}/cmdline").read_text())

    def test_sends_a_page_no_answer_in_the_owners_name(self):
        answer = self.ask("/v2/models/digits", "DELETE", Origin="https://page.example")
        self.assert_error(answer, 403, "denied")


class ProxyOfItsOwn(ServerCase):
    def start(self, *arguments, **options):
        proxy = LocalProxy(PROGRAMS, options.pop("url", self.server.url), *arguments, **options)
        self.addCleanup(proxy.stop)
        return proxy

    def refused(self, code, *arguments, **options):
        with self.assertRaisesRegex(RuntimeError, f"ended with {code}:") as raised:
            self.start(*arguments, **options)
        return str(raised.exception)

    def test_does_not_start_before_an_unverified_server(self):
        self.assertIn("simulation", self.refused(3))
        policy = self.folder / "policy.json"
        policy.write_text(json.dumps({"allow_simulation": True, "configuration": ["00" * 32]}))
        self.assertIn("configuration", self.refused(3, "--policy", str(policy)))
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            self.refused(4, url=f"https://127.0.0.1:{nobody.getsockname()[1]}")

    def test_listens_on_this_machine_alone(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
            self.assertIn("does not leave", self.refused(2, "--allow-simulation", listen=address))

    def test_listens_on_a_socket_that_is_its_owners(self):
        path = self.folder / "proxy.sock"
        for _ in range(2):
            proxy = self.start("--allow-simulation", listen=f"unix:{path}")
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
            for host, status in (("localhost", "200"), ("page.example", "403")):
                done = subprocess.run(
                    ["curl", "-sS", "--unix-socket", str(path), "-o", os.devnull, "-w",
                     "%{http_code}", f"http://{host}/v2"], capture_output=True, text=True,
                    timeout=60)
                self.assertEqual(done.stdout, status, done.stderr)
            proxy.process.send_signal(signal.SIGKILL)  # leaves the socket's file behind
            proxy.process.wait()
        proxy = self.start("--allow-simulation", listen=f"unix:{path}")
        self.assertEqual(proxy.stop()[0], 0)
        self.assertFalse(path.exists())

    def test_refuses_a_server_that_was_put_in_its_place(self):
        software = json.loads(subprocess.run(
            [str(PROGRAMS / "cloister"), "attest", "--server", self.server.url, "--json",
             "--allow-simulation"], capture_output=True, text=True, check=True).stdout)
        policy = self.folder / "pinned.json"
        policy.write_text(json.dumps({
            "allow_simulation": True, "configuration": [software["claims"]["configuration"]]}))
        forwarder = Forwarder(self.server.address)
        self.addCleanup(forwarder.close)
        proxy = self.start("--policy", str(policy), "--add-token", token=self.server.token,
                           url=f"https://127.0.0.1:{forwarder.port}")
        self.assertEqual(requests.get(proxy.url + "/v2/models").status_code, 200)
        with tempfile.TemporaryDirectory() as folder:
            other = Server(PROGRAMS, folder, ("--isolation", "process"))
            self.addCleanup(other.stop)
            forwarder.target = other.address
            forwarder.cut()
            answer = requests.post(proxy.url + "/v2/models/m/infer", data=b"a secret tensor")
            self.assert_error(answer, 502, "unverified", "configuration")
            forwarder.target = self.server.address
            self.assertEqual(requests.get(proxy.url + "/v2/models").status_code, 200)
        code, said = proxy.stop()
        self.assertEqual(code, 0)
        self.assertIn("configuration", said)
        self.assertIn("verified again", said)

    def test_verifies_again_once_a_verdict_has_expired(self):
        policy = self.folder / "short.json"
        policy.write_text(json.dumps({"allow_simulation": True, "verdict_seconds": 2}))
        forwarder = Forwarder(self.server.address)
        self.addCleanup(forwarder.close)
        proxy = self.start("--policy", str(policy), url=f"https://127.0.0.1:{forwarder.port}")
        until = time.monotonic() + 30
        with requests.Session() as session:
            while forwarder.connections < 3 and time.monotonic() < until:
                self.assertEqual(session.get(proxy.url + "/v2").status_code, 200)
        self.assertGreaterEqual(forwarder.connections, 3)

    def test_cuts_an_answer_short_where_the_server_dies(self):
        stored = self.upload("same", identity_model())
        self.assertEqual(stored.status_code, 201, stored.text)
        forwarder = Forwarder(self.server.address)
        self.addCleanup(forwarder.close)
        proxy = self.start("--allow-simulation", "--add-token", token=self.server.token,
                           url=f"https://127.0.0.1:{forwarder.port}")
        rows = npy(np.zeros(12 * MIB, dtype=np.float32))
        connection = http.client.HTTPConnection(*proxy.address, timeout=60)
        connection.request("POST", "/v2/models/same/infer", rows,
                           {"Content-Type": "application/x-npy", "Accept": "application/x-npy"})
        self.addCleanup(connection.close)
        answer = connection.getresponse()
        self.addCleanup(answer.close)
        answer.read(MIB)
        forwarder.cut()
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
        self.assertEqual(requests.get(proxy.url + "/v2/models").status_code, 200)


if __name__ == "__main__":
    unittest.main()
