"""Usage and the audit trail as the server signs them: shown, kept, judged offline, and compared."""

import hashlib
import json
import pathlib
import shutil
import subprocess
import unittest

import numpy as np

from e2e.case import PROGRAMS, EchoCase, npy
from support.server import Server

CLOISTER = str(PROGRAMS / "cloister")
DONE, REFUSED, NOT_VERIFIED = 0, 1, 3


class Exports(EchoCase):
    def keep(self, name, *arguments):
        folder = self.folder / name
        done = self.ask(*arguments, "--keep", str(folder))
        self.assertEqual(done.returncode, DONE, done.stderr)
        return folder

    def judge(self, folder, *arguments):
        return self.run_cli("verify-export", str(folder), *arguments)

    def events(self, **query):
        answer = self.http.get(self.url("/v2/audit"), params=query)
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def new_principal(self, role, name="person"):
        made = self.http.post(self.url("/v2/principals"), json={"name": name, "role": role})
        principal = made.json()["principal"]
        token = self.http.post(self.url(f"/v2/principals/{principal}/tokens")).json()["token"]
        session = self.server.session(token)
        self.addCleanup(session.close)
        return principal, session

    def test_refuses_every_changed_export_and_other_evidence(self):
        folder = self.keep("changed", "usage")
        self.assertEqual(self.judge(folder).returncode, DONE)
        path = folder / "export.cose"
        whole = path.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 40)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            self.assertNotEqual(self.judge(folder).returncode, DONE, f"byte {at}")
        path.write_bytes(whole)
        with Server(PROGRAMS, self.folder / "other") as other:
            theirs = subprocess.run(
                [CLOISTER, "usage", "--allow-simulation", "--server", other.url, "--keep",
                 str(self.folder / "theirs")], env={"CLOISTER_TOKEN": other.token}, timeout=60,
                capture_output=True, text=True)
            self.assertEqual(theirs.returncode, DONE, theirs.stderr)
        shutil.copy(self.folder / "theirs" / "certificate.der", folder / "certificate.der")
        self.assertEqual(self.judge(folder).returncode, NOT_VERIFIED)

    def test_refuses_a_receipts_bytes_as_an_export(self):
        folder = self.keep("kinds", "usage")
        data = self.folder / "x.npy"
        data.write_bytes(npy(np.ones(3, np.float32)))
        receipt = self.folder / "receipt"
        done = self.ask("infer", "echo", "--input", str(data), "--receipt", str(receipt))
        self.assertEqual(done.returncode, DONE, done.stderr)
        shutil.copy(receipt / "receipt.cbor", folder / "export.cose")
        self.assertNotEqual(self.judge(folder).returncode, DONE)

    def test_shows_one_usage_as_table_csv_and_json(self):
        for _ in range(3):
            self.assertEqual(self.infer().status_code, 200)
        folder = self.keep("usage", "usage")
        table, csv = self.judge(folder), self.judge(folder, "--csv")
        self.assertIn("of_my_models", table.stdout)
        lines = csv.stdout.splitlines()
        self.assertEqual(lines[0], "whose,model,version,principal,day,requests,compute_ms,bytes_in,"
                                   "bytes_out")
        self.assertTrue(any(line.startswith("of_my_models,echo,1,owner,") for line in lines), lines)
        said = json.loads(self.judge(folder, "--json").stdout)
        self.assertEqual((said["kind"], said["of"]), ("usage", "owner"))
        self.assertGreaterEqual(said["of_my_models"][0]["requests"], 3)
        self.assertIn(json.dumps(said, separators=(",", ":")).encode(),
                      (folder / "export.cose").read_bytes())

    def test_records_what_an_owner_does_and_nothing_of_others(self):
        begin = self.events()["count"]
        caller, session = self.new_principal("caller", "bank")
        other, stranger = self.new_principal("owner", "lab")
        self.http.put(self.url("/v2/models/echo/grants"),
                      json={"principal": caller, "rights": ["infer"]})
        for _ in range(3):  # which is one event
            denied = session.delete(self.url("/v2/models/owner.echo/versions/1"))
            self.assertEqual(denied.status_code, 403)
        self.assertEqual(self.http.put(self.url("/v2/models/bad/versions/1"),
                                       data=b"no model").status_code, 422)
        self.upload("short", self.model)
        self.http.post(self.url("/v2/repository/models/short/load"))
        self.http.post(self.url("/v2/repository/models/short/unload"))
        self.http.delete(self.url("/v2/models/short/versions/1"))
        self.http.delete(self.url("/v2/models/echo/grants"), params={"principal": caller})
        self.http.delete(self.url(f"/v2/principals/{caller}/tokens"))
        self.http.delete(self.url(f"/v2/principals/{caller}"))
        stranger.get(self.url("/v2/models/owner.echo"))
        stranger.delete(self.url("/v2/models/owner.echo/versions/1"))
        seen = [(each["action"], each["outcome"], each["actor"])
                for each in self.events(after=begin)["events"]]
        self.assertEqual(seen, [
            ("principal-created", "done", "owner"), ("token-minted", "done", "owner"),
            ("principal-created", "done", "owner"), ("token-minted", "done", "owner"),
            ("grant-given", "done", "owner"), ("version-erased", "denied", caller),
            ("version-uploaded", "refused", "owner"), ("version-uploaded", "done", "owner"),
            ("model-loaded", "done", "owner"), ("model-unloaded", "done", "owner"),
            ("version-erased", "done", "owner"), ("grant-taken-back", "done", "owner"),
            ("tokens-revoked", "done", "owner"), ("principal-removed", "done", "owner")])
        uploaded = [each for each in self.events(after=begin)["events"]
                    if each["action"] == "version-uploaded" and each["outcome"] == "done"]
        self.assertEqual(uploaded[0]["sha256"], hashlib.sha256(self.model).hexdigest())
        self.assertEqual(stranger.get(self.url("/v2/audit")).json()["count"], 0)

    def test_shows_that_events_were_taken_back(self):
        self.new_principal("caller", "first")
        early = self.keep("early", "audit")
        self.new_principal("caller", "second")
        late = self.keep("late", "audit")
        part = self.keep("part", "audit", "--after", str(json.loads(
            self.judge(early, "--json").stdout)["count"]))
        for later in (late, part):
            done = self.judge(later, "--earlier", str(early))
            self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertIn("principal-created", self.judge(late).stdout)
        self.assertEqual(self.judge(early, "--earlier", str(late)).returncode, NOT_VERIFIED)
        self.assertIn("taken back", self.judge(early, "--earlier", str(late)).stderr)
        server = self.keep("server", "audit", "--of-server")
        self.assertEqual(self.judge(late, "--earlier", str(server)).returncode, NOT_VERIFIED)

    def test_chains_events_by_the_documented_rule(self):
        said = self.http.get(self.url("/v2/audit/server")).json()
        link = hashlib.sha256(b"cloister audit 1 ").digest()
        self.assertEqual(link.hex(), said["before"])
        for event in said["events"]:
            text = json.dumps(event, separators=(",", ":")).encode()
            link = hashlib.sha256(link + text).digest()
        self.assertEqual(link.hex(), said["head"])
        self.assertEqual([each["action"] for each in said["events"]][:3],
                         ["server-started", "software", "receipt-key"])

    def test_keeps_the_trail_through_kill_9_and_refuses_a_shortened_store(self):
        folder = self.folder / "killed"
        server = Server(PROGRAMS, folder)
        with server.session() as session:
            made = session.post(server.url + "/v2/principals", json={"name": "x", "role": "caller"})
            self.assertEqual(made.status_code, 201)
        server.process.kill()
        server.stop()
        with Server(PROGRAMS, folder) as again, again.session(server.token) as session:
            said = session.get(again.url + "/v2/audit").json()
            self.assertEqual([each["action"] for each in said["events"]], ["principal-created"])
        (newest,) = pathlib.Path(folder, "vault", "log", "audit").iterdir()
        newest.write_bytes(newest.read_bytes()[:200])
        with self.assertRaises(RuntimeError):
            Server(PROGRAMS, folder)


if __name__ == "__main__":
    unittest.main()
