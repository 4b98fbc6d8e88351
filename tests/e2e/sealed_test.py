"""Models that their owner sealed: opened by the right server for their owner, and by no other."""

import base64
import subprocess
import unittest

import numpy as np
from onnx import TensorProto, helper

from e2e.case import PROGRAMS, ServerCase, identity_model, npy, small_model
from support.sealing import seal
from support.server import Server

CLOISTER = str(PROGRAMS / "cloister")


def sealed_for(server, folder, name, *arguments, owner="owner", version=1, model=None):
    """The bytes of a model that `cloister seal` made for `server`."""
    source, output = folder / "model.onnx", folder / f"{name}.sealed"
    source.write_bytes(model or identity_model())
    output.unlink(missing_ok=True)
    done = subprocess.run(
        [CLOISTER, "seal", name, str(version), str(source), "--owner", owner, "--output",
         str(output), "--server", server.url, "--allow-simulation", *arguments],
        capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return output.read_bytes()


class SealedModels(ServerCase):
    def seal(self, name, *arguments, owner="owner", version=1, server=None, model=None):
        return sealed_for(server or self.server, self.folder, name, *arguments, owner=owner,
                          version=version, model=model)

    def test_refuses_what_was_changed_or_sealed_for_another_server(self):
        sealed = self.seal("strict")
        for at in (9, 50, len(sealed) // 2, len(sealed) - 1):
            changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1:]
            self.assertIn(self.upload("strict", changed).status_code, (403, 422), at)
        for cut in (8, 60, len(sealed) - 1):
            self.assert_error(self.upload("strict", sealed[:cut]), 422, "refused")
        with Server(PROGRAMS, self.folder / "other") as other:
            foreign = self.seal("strict", "--any-configuration", server=other)
            self.assert_error(self.upload("strict", foreign), 422, "refused", "another server")
        self.assertEqual(self.http.get(self.url("/v2/models/strict")).status_code, 404)

    def test_refuses_another_owner_name_version_and_a_policy_that_does_not_hold(self):
        self.assert_error(self.upload("x", self.seal("x", owner="bank")), 403, "denied", "owner")
        sealed = self.seal("x")
        self.assert_error(self.upload("y", sealed), 403, "denied", "another model")
        self.assert_error(self.upload("x", sealed, 2), 403, "denied", "another model or version")
        made = self.http.post(self.url("/v2/principals"), json={"name": "lab", "role": "owner"})
        lab = made.json()["principal"]
        token = self.http.post(self.url(f"/v2/principals/{lab}/tokens")).json()["token"]
        with self.server.session(token) as session:
            response = session.put(self.url("/v2/models/x/versions/1"), data=sealed)
            self.assert_error(response, 403, "denied", "another owner")
        with Server(PROGRAMS, self.folder / "inline", ("--isolation", "inline")) as inline:
            pinned = self.seal("x", server=inline)
            self.assert_error(self.upload("x", pinned), 403, "denied", "another")

    def test_admits_what_the_owner_sealed_once_and_opens_it_after_a_restart(self):
        sealed = self.seal("mine")
        response = self.upload("mine", sealed)
        self.assertEqual(response.status_code, 201, response.text)
        self.assert_error(self.upload("mine", sealed), 409, "conflict", "admitted already")
        answer = self.http.post(self.url("/v2/models/mine/infer"),
                                data=npy(np.ones(3, np.float32)),
                                headers={"Content-Type": "application/x-npy"})
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(self.http.delete(self.url("/v2/models/mine/versions/1")).status_code, 200)
        self.assert_error(self.upload("mine", sealed), 409, "conflict", "erased")
        folder = self.folder / "restarted"
        with Server(PROGRAMS, folder) as first:
            kept = self.seal("later", server=first)
            token = first.token
        with Server(PROGRAMS, folder) as second, second.session(token) as session:
            stored = session.put(second.url + "/v2/models/later/versions/1", data=kept)
            self.assertEqual(stored.status_code, 201, stored.text)

    def test_refuses_chunks_in_another_order_or_left_out(self):
        model = small_model(
            [helper.make_node("Add", ["x", "w"], ["y"])], [("x", TensorProto.FLOAT, [1 << 19])],
            [("y", TensorProto.FLOAT, [1 << 19])],
            [helper.make_tensor("w", TensorProto.FLOAT, [1 << 19], bytes(1 << 21), raw=True)])
        sealed = self.seal("large", model=model)
        chunk = (1 << 20) + 16
        preface = len(sealed) - len(model) - 16 * 3
        first, second = sealed[preface:preface + chunk], sealed[preface + chunk:][:chunk]
        rest = sealed[preface + 2 * chunk:]
        for parts in ((second, first, rest), (first, first, rest), (first, rest), (first, second),
                      (first, second, rest, rest)):
            self.assert_error(self.upload("large", sealed[:preface] + b"".join(parts)), 422,
                              "refused")
        self.assertEqual(self.upload("large", sealed).status_code, 201)

    def test_admits_what_another_implementation_seals_while_its_header_allows(self):
        facts = self.http.get(self.url("/v2")).json()["confidential"]
        key = base64.b64decode(facts["hpke_key"])
        model = identity_model()
        for policy in ({"configuration": bytes(32)}, {"software": bytes(32)},
                       {"isolation": "inline"}, {"anchor": "tpm"}):
            made = seal(key, model, "owner", "foreign", policy=policy)
            self.assert_error(self.upload("foreign", made), 403, "denied", "is for a server")
        late = seal(key, model, "owner", "foreign", expires_in=-1)
        self.assert_error(self.upload("foreign", late), 403, "denied", "expired")
        unknown = seal(key, model, "owner", "foreign", policy={"weather": "fine"})
        self.assert_error(self.upload("foreign", unknown), 422, "refused")
        lied = seal(key, model, "owner", "foreign")[:-16] + bytes(16)
        self.assert_error(self.upload("foreign", lied), 422, "refused")
        good = seal(key, model, "owner", "foreign",
                    policy={"isolation": facts["isolation"], "anchor": facts["anchor"]})
        self.assertEqual(self.upload("foreign", good).status_code, 201)

    def test_is_not_to_be_read_on_its_way(self):
        sealed = self.seal("private")
        self.assertNotIn(identity_model()[20:60], sealed)


if __name__ == "__main__":
    unittest.main()
