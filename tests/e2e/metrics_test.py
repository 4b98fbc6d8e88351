"""The metrics: what is counted, and that no name is in them unless its owner lets it be."""

import json
import re
import socket
import time
import unittest
import urllib.request

from e2e.case import ROOT, ServerCase, identity_model

SAMPLE = re.compile(r'^([a-z_]+)(?:\{([^}]*)\})? (\S+)$')
LABELS = {"kind": r"[a-z]+", "status": r"[2-5][0-9][0-9]", "queue": r"runs|loads|uploads",
          "le": r"[0-9.]+|\+Inf", "model": r"owner\.shown", "version": r"1"}
REQUEST = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}


class Metrics(ServerCase):
    def read(self):
        with urllib.request.urlopen(self.server.metrics, timeout=10) as answer:
            self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
            return answer.read().decode("ascii")

    def samples(self):
        found = {}
        for line in self.read().splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = SAMPLE.match(line).groups()
            found[name, labels or ""] = float(value)
        return found

    def infer(self, name):
        return self.http.post(self.url(f"/v2/models/{name}/infer"), json=REQUEST)

    def ask(self, text):
        address = self.server.metrics.split("/")[2].split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=10) as connection:
            connection.sendall(text)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer

    def test_answers_nothing_but_the_metrics(self):
        for line in (b"GET / HTTP/1.1", b"POST /metrics HTTP/1.1", b"GET /v2/models HTTP/1.1"):
            self.assertTrue(self.ask(line + b"\r\n\r\n").startswith(b"HTTP/1.1 404"))
        with self.assertRaises(ConnectionError):
            self.assertEqual(self.ask(b"x" * 20000), b"")
            raise ConnectionError("closed without an answer, but not cut")

    def test_cuts_a_scraper_that_sends_nothing_and_serves_the_next(self):
        address = self.server.metrics.split("/")[2].split(":")
        with socket.create_connection((address[0], int(address[1]))):
            begin = time.monotonic()
            self.assertIn("cloister_requests_total", self.read())
            self.assertLess(time.monotonic() - begin, 8)

    def test_shows_no_name_unless_its_owner_lets_it_be_shown(self):
        for name in ("hidden-canary", "shown"):
            self.assertEqual(self.upload(name, identity_model()).status_code, 201)
            self.assertEqual(self.infer(name).status_code, 200)
        self.assertNotIn("shown", self.read())
        config = {"parameters": {"cloister_name_in_metrics": {"string_value": "true"}}}
        load = self.http.post(self.url("/v2/repository/models/shown/load"),
                              json={"parameters": {"config": json.dumps(config)}})
        self.assertEqual(load.status_code, 200, load.text)
        text = self.read()
        self.assertNotIn("canary", text)
        self.assertNotIn(self.server.token, text)
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = SAMPLE.match(line).groups()
            float(value)
            for label in (labels or "").split(",") if labels else []:
                key, _, content = label.partition("=")
                self.assertRegex(content.strip('"'), f"^({LABELS[key]})$")

    def test_counts_requests_inferences_loads_and_refusals(self):
        self.assertEqual(self.upload("counted", identity_model()).status_code, 201)
        before = self.samples()
        for _ in range(3):
            self.assertEqual(self.infer("counted").status_code, 200)
        self.http.post(self.url("/v2/models/counted/infer"), data=b"{}")
        self.http.get(self.url("/v2/models/none"))
        self.http.get(self.url("/v2/models"), headers={"Authorization": "Bearer x"})
        after = self.samples()

        def rise(name, labels=""):
            return after.get((name, labels), 0) - before.get((name, labels), 0)
        self.assertEqual(rise("cloister_requests_total", 'kind="infer",status="200"'), 3)
        self.assertEqual(rise("cloister_requests_total", 'kind="infer",status="400"'), 1)
        self.assertEqual(rise("cloister_requests_total", 'kind="metadata",status="404"'), 1)
        self.assertEqual(rise("cloister_requests_total", 'kind="list",status="401"'), 1)
        self.assertEqual(rise("nv_inference_request_success"), 3)
        self.assertEqual(rise("nv_inference_request_failure"), 1)
        self.assertEqual(rise("nv_inference_count"), 3)
        self.assertEqual(rise("cloister_cold_starts_total"), 1)
        self.assertEqual(rise("cloister_inference_duration_seconds_count"), 3)
        self.assertGreater(after["process_resident_memory_bytes", ""], 1 << 20)
        parts = sum(rise(f"nv_inference_{part}_duration_us")
                    for part in ("queue", "compute_input", "compute_infer", "compute_output"))
        self.assertAlmostEqual(rise("nv_inference_request_duration_us"), parts, delta=1)

    def test_the_dashboard_asks_for_metrics_that_exist(self):
        dashboard = json.loads((ROOT / "docs/grafana-dashboard.json").read_text())
        text = self.read()
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                for name in re.findall(r"\b(?:nv|cloister|process)_[a-z_]+", target["expr"]):
                    self.assertRegex(text, rf"(?m)^# TYPE {re.sub('_bucket$', '', name)} ", name)


if __name__ == "__main__":
    unittest.main()
