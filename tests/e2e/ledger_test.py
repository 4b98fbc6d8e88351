"""What was used, through kill -9 and restarts; tests/soak/ledger_kill.py is the long form."""

import pathlib
import tempfile
import unittest

from e2e.case import PROGRAMS, identity_model
from support.ledger_kill import BODY, HEADERS, kill_in_a_loop
from support.server import Server


class Ledger(unittest.TestCase):
    def test_counts_no_more_than_was_answered_whenever_it_is_killed(self):
        with tempfile.TemporaryDirectory(prefix="cloister-e2e-") as folder:
            store, counted = kill_in_a_loop(PROGRAMS, pathlib.Path(folder), 3, 5, 6.0)
        self.assertEqual(store.wrong, [])
        self.assertGreater(store.total, 0)
        self.assertGreater(counted, 0)
        self.assertLessEqual(counted, store.total)


class Quota(unittest.TestCase):
    def infer(self, server, token):
        with server.session(token) as session:
            return session.post(server.url + "/v2/models/owner.echo/infer", BODY, headers=HEADERS)

    def test_goes_on_counting_after_a_restart(self):
        with tempfile.TemporaryDirectory(prefix="cloister-e2e-") as name:
            folder = pathlib.Path(name) / "store"
            with Server(PROGRAMS, folder) as server, server.session() as owner:
                url = server.url + "/v2"
                owner.put(url + "/models/echo/versions/1", data=identity_model())
                made = owner.post(url + "/principals", json={"name": "bank", "role": "caller"})
                bank = made.json()["principal"]
                token = owner.post(f"{url}/principals/{bank}/tokens").json()["token"]
                owner.put(url + "/models/echo/grants", json={"principal": bank,
                                                             "rights": ["infer"]})
                set_to = owner.put(f"{url}/principals/{bank}/quota",
                                   json={"requests": 2, "interval": 24 * 3600})
                self.assertEqual(set_to.status_code, 200, set_to.text)
                self.assertEqual(self.infer(server, token).status_code, 200)
            with Server(PROGRAMS, folder) as server:
                self.assertEqual(self.infer(server, token).status_code, 200)
            with Server(PROGRAMS, folder) as server:
                refused = self.infer(server, token)
                self.assertEqual(refused.status_code, 429, refused.text)
                self.assertEqual(refused.json()["code"], "quota")


if __name__ == "__main__":
    unittest.main()
