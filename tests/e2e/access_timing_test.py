"""What is another's answers as late as what is not there, and a delay of 20 us would be seen."""

import unittest

from e2e.case import ServerCase, identity_model
from support.access_timing import Neighbours
from support.paired_times import differences, median_interval, tells_apart

TOLERANCE_US = 3
INJECTED_NS = 20_000
# As many pairs where a stranger would ask first; the soak of this name takes them everywhere.
PAIRS = {"GET /v2/models/{}": 10_000, "POST /v2/models/{}/infer": 10_000}
PAIRS_OTHERWISE = 1_000


class AccessTiming(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.neighbours = Neighbours(cls.server, identity_model())
        cls.routes = cls.neighbours.routes(cls.neighbours.people["caller"])

    def setUp(self):
        self.wire = self.neighbours.connect()
        self.addCleanup(self.wire.close)

    def interval(self, route, pairs, delay_ns=0):
        foreign, absent = self.routes[route]
        return median_interval(differences(self.wire, foreign, absent, pairs, delay_ns))

    def test_would_see_a_delay_of_20_us(self):
        for route, pairs in PAIRS.items():
            with self.subTest(route):
                seen = self.interval(route, pairs, INJECTED_NS)
                self.assertTrue(tells_apart(seen, TOLERANCE_US), seen)

    def test_cannot_tell_foreign_from_absent_by_the_body_or_the_time(self):
        for route, (foreign, absent) in self.routes.items():
            with self.subTest(route):
                for left, right in zip(foreign, absent):
                    answers = [self.without_date(self.wire.ask(each)) for each in (left, right)]
                    self.assertIn(answers[0].split(b" ")[1], (b"403", b"404"))
                    self.assertEqual(*answers)
                seen = self.interval(route, PAIRS.get(route, PAIRS_OTHERWISE))
                self.assertFalse(tells_apart(seen, TOLERANCE_US), seen)

    @staticmethod
    def without_date(answer):
        return b"\r\n".join(line for line in answer.split(b"\r\n")
                            if not line.lower().startswith(b"date:"))


if __name__ == "__main__":
    unittest.main()
