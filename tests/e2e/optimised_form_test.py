"""A version's optimised form on disk: it is what is served, and made anew where it is damaged."""

import pathlib
import tempfile
import time
import unittest

import numpy as np

from e2e.case import PROGRAMS, demo_model, npy
from e2e.identity import configuration
from support.server import Server


class OptimisedForm(unittest.TestCase):
    isolation = "process"

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "dev"
        with self.start() as server, server.session() as http:
            self.token = server.token
            stored = http.put(server.url + "/v2/models/digits/versions/1",
                              data=demo_model("digits"))
            self.assertEqual(stored.status_code, 201, stored.text)
            self.answer = self.infer(server, http)
        # The version is sealed first, its form later.
        self.version, self.form = sorted(self.files(), key=lambda each: each.stat().st_mtime_ns)

    def start(self):
        return Server(PROGRAMS, self.folder, ("--isolation", self.isolation))

    def files(self):
        return [each for each in self.folder.glob("**/versions/**/*") if each.is_file()]

    def infer(self, server, http):
        answer = http.post(server.url + "/v2/models/digits/infer",
                           data=npy(np.ones((1, 1, 8, 8), np.float32)),
                           headers={"Content-Type": "application/x-npy",
                                    "Accept": "application/x-npy"})
        self.assertEqual(answer.status_code, 200, answer.text)
        return np.frombuffer(answer.content[-40:], np.float32)

    def damage(self, path):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)

    def test_is_made_anew_behind_the_answer_where_it_is_damaged(self):
        self.damage(self.form)
        with self.start() as server, server.session(self.token) as http:
            np.testing.assert_allclose(self.infer(server, http), self.answer, rtol=1e-4)
            end = time.monotonic() + 60
            while time.monotonic() < end and (self.form.exists() or len(self.files()) != 2):
                time.sleep(0.05)
        self.assertFalse(self.form.exists())
        self.damage(self.version)  # from here on only the new form can answer
        with self.start() as server, server.session(self.token) as http:
            np.testing.assert_allclose(self.infer(server, http), self.answer, rtol=1e-4)

    def test_is_what_answers_and_stays_where_it_fits(self):
        self.damage(self.version)
        with self.start() as server, server.session(self.token) as http:
            np.testing.assert_allclose(self.infer(server, http), self.answer, rtol=1e-4)
        self.assertTrue(self.form.exists())


class OptimisedFormInline(OptimisedForm):
    isolation = "inline"


class WithoutForms(unittest.TestCase):
    def test_keeps_none_where_the_configuration_says_so(self):
        for isolation in ("process", "inline"):
            with self.subTest(isolation), tempfile.TemporaryDirectory() as folder:
                config, certificate = configuration(folder, isolation=isolation,
                                                    optimised_forms=False)
                with Server(PROGRAMS, folder, ("--create-store",), config=config) as server, \
                        server.session() as http:
                    http.cert = certificate
                    stored = http.put(server.url + "/v2/models/digits/versions/1",
                                      data=demo_model("digits"))
                    self.assertEqual(stored.status_code, 201, stored.text)
                    versions = pathlib.Path(folder, "store", "vault", "versions")
                    self.assertEqual(len(list(versions.iterdir())), 1)


if __name__ == "__main__":
    unittest.main()
