"""The command line client against the real server: exit codes, output, files."""

import json
import os
import pathlib
import socket
import subprocess
import unittest

import numpy as np

from e2e.case import DEMO, PROGRAMS, ServerCase

CLOISTER = str(PROGRAMS / "cloister")
DONE, REFUSED, USAGE, NOT_VERIFIED, UNREACHABLE = 0, 1, 2, 3, 4


class CommandLine(ServerCase):
    def run_cli(self, *arguments, simulation=True, token=None, url=None, text_input=None):
        flags = ["--server", url or self.server.url]
        if simulation:
            flags.append("--allow-simulation")
        token = self.server.token if token is None else token
        environment = {**os.environ, "CLOISTER_TOKEN": token}
        return subprocess.run([CLOISTER, *arguments, *flags], capture_output=True, text=True,
                              env=environment, input=text_input, timeout=120)

    def expect(self, code, *arguments, **options):
        done = self.run_cli(*arguments, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_refuses_simulated_evidence_unless_told_otherwise(self):
        for arguments in (("attest",), ("models",), ("delete", "x", "1"),
                          ("upload", "x", "1", str(DEMO / "digits.onnx"))):
            with self.subTest(arguments[0]):
                done = self.expect(NOT_VERIFIED, *arguments, simulation=False)
                self.assertIn("--allow-simulation", done.stderr)
        self.assertEqual(json.loads(self.expect(DONE, "models", "--json").stdout), [])

    def test_says_usage_for_a_wrong_command_line(self):
        for arguments in (("nonsense",), ("upload", "only-a-name"), ("infer",)):
            with self.subTest(arguments):
                self.expect(USAGE, *arguments)
        helped = subprocess.run([CLOISTER, "--help"], capture_output=True, text=True, check=True)
        for command in ("attest", "upload", "models", "infer", "unload", "delete"):
            self.assertIn(command, helped.stdout)

    def test_says_unreachable_where_nobody_listens(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.expect(UNREACHABLE, "models", url=f"https://127.0.0.1:{free.getsockname()[1]}")

    def test_refuses_a_bad_token_as_the_server_does(self):
        done = self.expect(REFUSED, "models", token="clst_" + "A" * 43)
        self.assertIn("token", done.stderr)

    def test_uploads_infers_and_deletes(self):
        model = str(DEMO / "cancer.onnx")
        uploaded = json.loads(self.expect(DONE, "upload", "cancer", "1", model, "--json").stdout)
        self.assertEqual(len(uploaded["sha256"]), 64)
        listed = json.loads(self.expect(DONE, "models", "--json").stdout)
        self.assertIn("cancer", [each["name"] for each in listed])
        self.assertIn("cancer", self.expect(DONE, "models").stdout)
        rows = str(DEMO / "cancer.inputs.npy")
        target = self.folder / "out.npz"
        self.expect(DONE, "infer", "cancer", "--input", rows, "--output", str(target))
        with np.load(target) as file:
            self.assertEqual(set(file.files), {"label", "probabilities"})
            np.testing.assert_array_equal(file["label"].shape, (143,))
        pinned = ("infer", "cancer", "--input", rows, "--output", str(target), "--model-sha256")
        self.expect(DONE, *pinned, uploaded["sha256"])
        before = target.read_bytes()
        self.assertNotEqual(self.run_cli(*pinned, "0" * 64).returncode, DONE)
        self.assertEqual(target.read_bytes(), before)
        self.expect(DONE, "unload", "cancer")
        self.expect(DONE, "delete", "cancer", "1")
        self.expect(REFUSED, "infer", "cancer", "--input", rows, "--output", str(target))

    def test_lets_another_in_grants_him_a_model_and_shows_its_use(self):
        model, rows = str(DEMO / "cancer.onnx"), str(DEMO / "cancer.inputs.npy")
        self.expect(DONE, "upload", "lent", "1", model)
        bank = self.expect(DONE, "principal", "add", "bank").stdout.strip()
        self.assertIn(bank, self.expect(DONE, "principal", "list").stdout)
        file = self.folder / "bank.token"
        self.expect(DONE, "token", "new", bank, "--output", str(file))
        token = file.read_text()
        infer = ("infer", "owner.lent", "--input", rows, "--output", str(self.folder / "x.npz"))
        self.expect(REFUSED, *infer, token=token)
        self.expect(USAGE, "grant", "lent", bank, "--rights", "erase")
        self.expect(DONE, "grant", "lent", bank, "--rights", "infer,metadata", "--days", "2")
        self.assertIn(bank, self.expect(DONE, "grants", "lent").stdout)
        self.expect(DONE, *infer, token=token)
        used = self.expect(DONE, "usage", "--csv").stdout.splitlines()
        self.assertIn(["of_my_models", "lent", "1", bank, "1"],
                      [[*line.split(",")[:4], line.split(",")[5]] for line in used[1:]])
        self.assertIn("owner.lent", self.expect(DONE, "usage", token=token).stdout)
        self.expect(DONE, "ungrant", "lent", bank)
        self.expect(REFUSED, *infer, token=token)
        self.expect(DONE, "principal", "remove", bank)
        self.expect(DONE, "delete", "lent", "1")
        self.expect(REFUSED, "models", token=token)

    def test_bounds_what_another_uses(self):
        rows = str(DEMO / "cancer.inputs.npy")
        self.expect(DONE, "upload", "bounded", "1", str(DEMO / "cancer.onnx"))
        bank = self.expect(DONE, "principal", "add", "bank").stdout.strip()
        file = self.folder / "bounded.token"
        self.expect(DONE, "token", "new", bank, "--output", str(file))
        self.expect(DONE, "grant", "bounded", bank, "--rights", "infer")
        quota = ("principal", "quota", bank)
        for wrong in ("requests", "requests=", "requests=x", "requests=-1"):
            self.expect(USAGE, *quota, wrong)
        self.expect(USAGE, *quota, "requests=1", "--none")
        self.expect(REFUSED, *quota, "nonsense=1")
        self.expect(REFUSED, *quota, "requests=1", token=file.read_text())
        said = self.expect(DONE, *quota, "requests=1", "interval=3600").stdout
        self.assertEqual(said.splitlines(), ["requests=1", "interval=3600"])
        self.assertEqual(self.expect(DONE, *quota, token=file.read_text()).stdout, said)
        infer = ("infer", "owner.bounded", "--input", rows, "--output", str(self.folder / "b.npz"))
        self.expect(DONE, *infer, token=file.read_text())
        refused = self.expect(REFUSED, *infer, token=file.read_text())
        self.assertIn("requests", refused.stderr)
        self.expect(DONE, *quota, "--none")
        self.expect(DONE, *infer, token=file.read_text())
        self.expect(DONE, "principal", "remove", bank)
        self.expect(DONE, "delete", "bounded", "1")

    def test_serves_the_example_of_the_client_library(self):
        self.expect(DONE, "upload", "example", "1", str(DEMO / "digits.onnx"))
        policy, token = self.folder / "policy.json", self.folder / "token"
        token.write_text(self.server.token + "\n")
        command = [str(PROGRAMS / "example_cpp_client"), self.server.url, str(policy), str(token),
                   "example", str(DEMO / "digits.inputs.npy")]
        for text, code in (("{}", NOT_VERIFIED), ('{"allow_simulation": true}', DONE)):
            policy.write_text(text)
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(json.loads(done.stdout)["model_name"], "example")

    def test_shows_the_findings_of_a_refused_model(self):
        bad = self.folder / "bad.onnx"
        bad.write_bytes(b"not a model at all")
        done = self.expect(REFUSED, "upload", "bad", "1", str(bad))
        self.assertIn("refused", done.stderr)

    def test_prints_a_pin_that_curl_accepts(self):
        attested = json.loads(self.expect(DONE, "attest", "--json").stdout)
        self.assertEqual(attested["pin"], self.server.pin)
        pin = self.expect(DONE, "attest", "--print-pin").stdout.strip()
        for given, code in ((pin, 0), ("sha256//" + "A" * 43 + "=", 90)):
            done = subprocess.run(
                ["curl", "-sS", "--noproxy", "*", "--insecure", "--pinnedpubkey", given,
                 self.server.url + "/v2"], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, code, done.stderr)
        self.expect(NOT_VERIFIED, "attest", "--print-pin", simulation=False)


if __name__ == "__main__":
    unittest.main()
