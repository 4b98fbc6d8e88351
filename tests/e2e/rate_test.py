"""The rate of requests that each principal may have, through the running server."""

import pathlib
import tempfile
import time
import unittest

from e2e.case import PROGRAMS
from e2e.identity import configuration
from support.server import Server

RATE = 3


class Rate(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        config, certificate = configuration(folder, requests_per_second_per_principal_max=RATE)
        self.server = Server(PROGRAMS, folder, ["--create-store"], config=config)
        self.addCleanup(self.server.stop)
        self.owner = self.server.session()
        self.owner.cert = certificate
        self.addCleanup(self.owner.close)

    def test_refuses_past_a_seconds_worth_and_serves_again_and_others_meanwhile(self):
        made = self.owner.post(self.server.url + "/v2/principals",
                               json={"name": "guest", "role": "caller"})
        self.assertEqual(made.status_code, 201, made.text)
        guest = made.json()["principal"]
        minted = self.owner.post(self.server.url + f"/v2/principals/{guest}/tokens")
        self.assertEqual(minted.status_code, 201, minted.text)
        answers = [self.owner.get(self.server.url + "/v2/models") for _ in range(20 * RATE)]
        refused = [each for each in answers if each.status_code == 429]
        self.assertTrue(refused)
        self.assertLessEqual({each.status_code for each in answers}, {200, 429})
        self.assertEqual(refused[0].json()["code"], "busy")
        self.assertGreaterEqual(int(refused[0].headers["Retry-After"]), 1)
        with self.server.session(minted.json()["token"]) as other:
            self.assertEqual(other.get(self.server.url + "/v2/models").status_code, 200)
        self.assertEqual(self.owner.get(self.server.url + "/v2/health/live").status_code, 200)
        until = time.monotonic() + 30
        while self.owner.get(self.server.url + "/v2/models").status_code != 200:
            self.assertLess(time.monotonic(), until)


if __name__ == "__main__":
    unittest.main()
