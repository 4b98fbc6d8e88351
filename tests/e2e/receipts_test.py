"""Receipts: what they state, that they verify offline, and that nothing changed does."""

import base64
import gzip
import hashlib
import json
import pathlib
import subprocess
import unittest

import numpy as np

from e2e.case import PROGRAMS, EchoCase, npy, npz

CLOISTER = str(PROGRAMS / "cloister")
DONE, NOT_VERIFIED = 0, 3


class Receipts(EchoCase):
    def keep(self, name):
        """A kept receipt's folder, and the files of its request and response."""
        folder, request = self.folder / name, self.folder / f"{name}.npy"
        response = self.folder / f"{name}.out.npy"
        request.write_bytes(npy(np.arange(4, dtype=np.float32)))
        done = self.ask("infer", "echo", "--input", str(request), "--output", str(response),
                        "--receipt", str(folder))
        self.assertEqual(done.returncode, DONE, done.stderr)
        return folder, request, response

    def judge(self, folder, *arguments):
        done = self.run_cli("verify-receipt", str(folder), "--json", *arguments)
        return done.returncode, json.loads(done.stdout) if done.stdout else {}

    def test_refuses_other_wishes_and_other_nonces(self):
        self.assert_error(self.infer(**{"Cloister-Receipt": "please"}), 400, "invalid", "want")
        for nonce in ("!", "A" * 100):
            response = self.infer(**{"Cloister-Receipt": "want", "Cloister-Receipt-Nonce": nonce})
            self.assert_error(response, 400, "invalid", "Cloister-Receipt-Nonce")
        self.assertNotIn("Cloister-Receipt", self.infer().headers)

    def test_refuses_every_changed_file(self):
        folder, request, response = self.keep("changed")
        self.assertEqual(self.judge(folder)[0], DONE)
        for name in ("receipt.cbor", "certificate.der"):
            path = folder / name
            whole = path.read_bytes()
            for at in range(0, len(whole), 7):
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
                code, said = self.judge(folder)
                self.assertNotEqual(code, DONE, f"{name} byte {at}: {said}")
            path.write_bytes(whole)
        for flag, path in (("--request", request), ("--response", response)):
            self.assertEqual(self.judge(folder, flag, str(path))[0], DONE)
            whole = path.read_bytes()
            changed = [whole + b"x", whole[:-1]]
            for at in range(0, 8 * len(whole), 53):
                flipped = whole[at // 8] ^ (1 << at % 8)
                changed.append(whole[:at // 8] + bytes([flipped]) + whole[at // 8 + 1:])
            for content in changed:
                path.write_bytes(content)
                code, said = self.judge(folder, flag, str(path))
                self.assertEqual(code, NOT_VERIFIED)
                self.assertIn("about another", said["complaint"])

    def test_refuses_a_receipt_beside_another_servers_evidence(self):
        folder, _, _ = self.keep("mixed")
        from support.server import Server
        with Server(PROGRAMS, self.folder / "other") as other:
            der = base64.b64decode("".join(other.certificate().splitlines()[1:-1]))
            (folder / "certificate.der").write_bytes(der)
        code, said = self.judge(folder)
        self.assertEqual(code, NOT_VERIFIED)
        self.assertIn("key", said["complaint"])

    def test_refuses_evidence_that_the_policy_refuses(self):
        folder, _, _ = self.keep("policy")
        done = subprocess.run([CLOISTER, "verify-receipt", str(folder)], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, NOT_VERIFIED, done.stdout)
        late = self.judge(folder, "--at", "2036-01-31T12:00:00Z")
        self.assertEqual(late[0], NOT_VERIFIED)

    def test_says_what_newer_collateral_tells(self):
        folder, _, _ = self.keep("newer")
        collateral = self.folder / "collateral"
        collateral.mkdir()
        code, said = self.judge(folder, "--newer", str(collateral))
        self.assertEqual((code, said["newer"]), (DONE, "none"))  # of a simulation there is none
        missing = self.run_cli("verify-receipt", str(folder), "--newer", str(folder / "nothing"))
        self.assertNotEqual(missing.returncode, DONE)

    def test_states_what_was_asked_and_answered(self):
        folder, request, response = self.keep("stated")
        code, said = self.judge(folder, "--request", str(request), "--response", str(response))
        self.assertEqual(code, DONE, said)
        stated = said["statement"]
        self.assertEqual(stated["model_sha256"], hashlib.sha256(self.model).hexdigest())
        self.assertEqual(stated["version"], "1")
        digest = hashlib.sha256(request.read_bytes()).hexdigest()
        self.assertEqual(stated["request_sha256"], digest)
        text = self.run_cli("verify-receipt", str(folder)).stdout
        self.assertIn("own clock", text)
        self.assertEqual({path.name for path in pathlib.Path(folder).iterdir()},
                         {"receipt.cbor", "certificate.der"})

    def test_comes_with_each_answer_where_a_grant_demands_it(self):
        made = self.http.post(self.url("/v2/principals"), json={"name": "bank", "role": "caller"})
        bank = made.json()["principal"]
        token = self.http.post(self.url(f"/v2/principals/{bank}/tokens")).json()["token"]
        grant = {"principal": bank, "rights": ["infer"]}
        refused = self.http.put(self.url("/v2/models/echo/grants"),
                                json={**grant, "receipts": "sometimes"})
        self.assert_error(refused, 400, "invalid", "receipts")
        body = npy(np.ones(3, np.float32))
        with self.server.session(token) as session:
            for demanded in ({}, {"receipts": "always"}):
                listed = self.http.put(self.url("/v2/models/echo/grants"),
                                       json={**grant, **demanded})
                self.assertEqual(listed.json()[0].get("receipts"), demanded.get("receipts"))
                answer = session.post(self.url("/v2/models/owner.echo/infer"), data=body,
                                      headers={"Content-Type": "application/x-npy"})
                self.assertEqual(answer.status_code, 200, answer.text)
                self.assertEqual("Cloister-Receipt" in answer.headers, bool(demanded))
        text = answer.headers["Cloister-Receipt"]
        receipt = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        self.assertIn(hashlib.sha256(body).digest(), receipt)
        self.assertIn(hashlib.sha256(answer.content).digest(), receipt)
        self.assertNotIn("Cloister-Receipt", self.infer().headers)
        self.http.put(self.url("/v2/models/echo/grants"), json=grant)
        done = self.ask("grant", "echo", bank, "--rights", "infer", "--receipts")
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertIn("a receipt with each answer", done.stdout)

    def test_covers_the_body_as_it_was_sent(self):
        response = self.infer(**{"Cloister-Receipt": "want", "Cloister-Receipt-Nonce": "AAAA",
                                 "Accept-Encoding": "identity"})
        self.assertEqual(response.status_code, 200)
        text = response.headers["Cloister-Receipt"]
        receipt = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        self.assertIn(hashlib.sha256(response.content).digest(), receipt)
        self.assertIn(b"\x43\x00\x00\x00", receipt)

    def assert_covers(self, body, kind, **headers):
        response = self.infer(body, **{"Cloister-Receipt": "want", "Content-Type": kind,
                                       "Accept-Encoding": "identity", **headers})
        self.assertEqual(response.status_code, 200, response.text)
        text = response.headers["Cloister-Receipt"]
        receipt = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        for content in (body, response.content):
            self.assertIn(hashlib.sha256(content).digest(), receipt)

    def test_covers_every_kind_of_body(self):
        ones = np.ones(5000, np.float32)
        large = np.arange(400_000, dtype=np.float32)
        text = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [3], "data": [1, 2, 3]}]}
        split = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [3],
                             "parameters": {"binary_data_size": 12}}]}
        head = json.dumps(split).encode()
        bodies = [
            (npy(ones), "application/x-npy", {}), (npy(large), "application/x-npy", {}),
            (npy(ones.astype(">f4")), "application/x-npy", {}),
            (npz(x=ones), "application/x-npz", {}),
            (json.dumps(text).encode(), "application/json", {}),
            (head + bytes(12), "application/octet-stream",
             {"Inference-Header-Content-Length": str(len(head))})]
        config = {"max_batch_size": 8, "dynamic_batching": {"max_queue_delay_microseconds": 1000}}
        for batched in ({}, config):
            load = self.http.post(self.url("/v2/repository/models/echo/load"),
                                  json={"parameters": {"config": json.dumps(batched)}})
            self.assertEqual(load.status_code, 200, load.text)
            for body, kind, headers in bodies:
                for coded in (body, gzip.compress(body)):
                    coding = {"Content-Encoding": "gzip"} if coded is not body else {}
                    with self.subTest(kind=kind, size=len(coded), batched=bool(batched), **coding):
                        self.assert_covers(coded, kind, **headers, **coding)


if __name__ == "__main__":
    unittest.main()
