"""The usage ledger under kill -9; tests/soak/ledger_kill.py is the long form of this."""

import pathlib
import tempfile
import unittest

from e2e.case import PROGRAMS
from support.ledger_kill import kill_in_a_loop


class Ledger(unittest.TestCase):
    def test_counts_no_more_than_was_answered_whenever_it_is_killed(self):
        with tempfile.TemporaryDirectory(prefix="cloister-e2e-") as folder:
            store, counted = kill_in_a_loop(PROGRAMS, pathlib.Path(folder), 3, 5, 6.0)
        self.assertEqual(store.wrong, [])
        self.assertGreater(store.total, 100)
        self.assertGreater(counted, 0)
        self.assertLessEqual(counted, store.total)


if __name__ == "__main__":
    unittest.main()
