"""`cloister collateral fetch` against a stand-in for the vendors' services."""

import http.server
import ipaddress
import json
import pathlib
import ssl
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

from e2e.attack_test import self_signed
from e2e.case import PROGRAMS, ROOT
from support.server import Server

VECTORS = ROOT.parent / "shared" / "attest-vectors"
CLOISTER = str(PROGRAMS / "cloister")
DONE, USAGE, NOT_VERIFIED, UNREACHABLE = 0, 2, 3, 4
MIB = 1 << 20


class Service:
    """Serves `documents`, target to (body, headers), over TLS; keeps what it was asked for."""

    def __init__(self, certificate):
        service = self
        self.documents = {}
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                service.asked.append(self.path)
                body, headers = service.documents.get(self.path, (None, {}))
                self.send_response(404 if body is None else 200)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                try:
                    self.wfile.write(body or b"")
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def serve_intel(self, folder, tee, fmspc, authority="platform"):
        """The documents of one recorded folder, in the shape of the service."""
        def read(name):
            return (folder / name).read_bytes()

        chain = {"TCB-Info-Issuer-Chain": urllib.parse.quote(read("tcb_signing_chain.pem"))}
        base = "certification/v4"
        self.documents = {
            f"/{tee}/{base}/tcb?fmspc={fmspc}": (read("tcb_info.json"), chain),
            f"/{tee}/{base}/qe/identity": (read("qe_identity.json"), {}),
            f"/sgx/{base}/pckcrl?ca={authority}&encoding=der": (read("pck_ca.crl.der"), {}),
            f"/sgx/{base}/rootcacrl": (read("root_ca.crl.der").hex().encode(), {}),
        }

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class CollateralCase(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        certificate = self_signed(self.folder, ipaddress.ip_address("127.0.0.1"))
        self.roots = certificate[0]
        self.service = Service(certificate)
        self.addCleanup(self.service.close)
        self.output = self.folder / "collateral.json"

    def run_cli(self, *arguments):
        return subprocess.run([CLOISTER, *map(str, arguments)], capture_output=True, text=True,
                              timeout=60)

    def fetch(self, *arguments, roots=None):
        return self.run_cli("collateral", "fetch", "--output", self.output, "--json",
                            "--intel-service", self.service.url, "--amd-service",
                            self.service.url, "--service-roots", roots or self.roots, *arguments)


class Collateral(CollateralCase):
    def test_asks_nobody_where_evidence_needs_none(self):
        with tempfile.TemporaryDirectory() as folder, Server(PROGRAMS, folder) as server:
            done = self.fetch("--server", server.url)
        self.assertEqual(done.returncode, USAGE, done.stderr)
        self.assertIn("needs no collateral", done.stderr)
        self.assertEqual(self.service.asked, [])
        self.assertFalse(self.output.exists())

    def test_refuses_a_file_that_is_none(self):
        self.output.write_text("{}")
        done = self.run_cli("attest", "--server", "https://127.0.0.1:1", "--endorsements",
                            self.output)
        self.assertEqual(done.returncode, USAGE, done.stderr)
        self.assertIn("no collateral", done.stderr)


@unittest.skipUnless(VECTORS.exists(), f"SKIPPED: the recorded evidence is not at {VECTORS}")
class RecordedCollateral(CollateralCase):
    recorded = VECTORS / "collateral" / "tdx_00806f050000_2026-01-27"
    evidence = ("--evidence", VECTORS / "tdx" / "v4_gcp_uptodate_2026-01.quote",
                "--at", "2026-02-11T09:25:52Z")

    def setUp(self):
        super().setUp()
        self.service.serve_intel(self.recorded, "tdx", "00806f050000")

    def test_stores_nothing_that_does_not_hold(self):
        whole = dict(self.service.documents)
        for target, (body, headers) in whole.items():
            for changed in (body[:-9] + b"x" + body[-8:], body[:-1], body + b"x" * (2 * MIB), b"",
                            None):
                with self.subTest(f"{target}: {len(changed or b'')} bytes"):
                    self.service.documents = {**whole, target: (changed, headers)}
                    done = self.fetch(*self.evidence)
                    self.assertIn(done.returncode, (USAGE, NOT_VERIFIED, UNREACHABLE), done.stderr)
                    self.assertFalse(self.output.exists())
        self.service.documents = whole
        late = self.fetch(*self.evidence[:2])
        self.assertEqual(late.returncode, NOT_VERIFIED, late.stderr)
        self.assertIn("collateral-expired", late.stdout)
        self.assertFalse(self.output.exists())

    def test_refuses_a_service_that_nobody_vouches_for(self):
        other = self.folder / "other"
        other.mkdir()
        done = self.fetch(*self.evidence, roots=self_signed(other)[0])
        self.assertEqual(done.returncode, NOT_VERIFIED, done.stderr)
        self.assertIn("certificate of the service", done.stderr)
        self.assertEqual(self.service.asked, [])

    def test_fetches_once_what_the_verifier_then_takes(self):
        done = self.fetch(*self.evidence)
        self.assertEqual(done.returncode, DONE, done.stdout + done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual((told["fetched"], told["tcb_status"]), (True, "UpToDate"))
        bundle = json.loads(self.output.read_text())
        self.assertEqual(bundle["expires"], told["expires"])
        asked = len(self.service.asked)
        again = json.loads(self.fetch(*self.evidence).stdout)
        self.assertEqual((again["fetched"], again["expires"]), (False, told["expires"]))
        self.assertEqual(len(self.service.asked), asked)
        renewed = json.loads(self.fetch(*self.evidence, "--renew").stdout)
        self.assertTrue(renewed["fetched"])
        self.assertEqual(len(self.service.asked), 2 * asked)
        verdicts = []
        for endorsements in (self.output, self.recorded):
            judged = self.run_cli("attest", "--json", "--endorsements", endorsements,
                                  *self.evidence)
            verdicts.append(json.loads(judged.stdout))
        self.assertEqual(verdicts[0], verdicts[1])
        self.assertEqual(verdicts[0]["rule"], "not-pinned")
        self.assertEqual(len(self.service.asked), 2 * asked)


if __name__ == "__main__":
    unittest.main()
