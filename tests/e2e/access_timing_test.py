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
MORE_TIMES = 8


class AccessTiming(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.neighbours = Neighbours(cls.server, identity_model())
        cls.routes = cls.neighbours.routes(cls.neighbours.people["caller"])

    def setUp(self):
        self.wire = self.neighbours.connect()
        self.addCleanup(self.wire.close)

    def differences(self, route, pairs, delay_ns=0, seed=1):
        foreign, absent = self.routes[route]
        return differences(self.wire, foreign, absent, pairs, delay_ns, seed)

    def sees(self, route, pairs, delay_ns):
        """Whether the delay shows; the busier the machine, the more pairs that takes."""
        values = []
        for seed in range(MORE_TIMES):
            values += self.differences(route, pairs, delay_ns, seed)
            if tells_apart(median_interval(values), TOLERANCE_US):
                return True
        return False

    def test_would_see_a_delay_of_20_us(self):
        for route, pairs in PAIRS.items():
            with self.subTest(route):
                self.assertTrue(self.sees(route, pairs, INJECTED_NS))

    def test_cannot_tell_foreign_from_absent_by_the_body_or_the_time(self):
        for route, (foreign, absent) in self.routes.items():
            with self.subTest(route):
                for left, right in zip(foreign, absent):
                    answers = [self.without_date(self.wire.ask(each)) for each in (left, right)]
                    self.assertIn(answers[0].split(b" ")[1], (b"403", b"404"))
                    self.assertEqual(*answers)
                seen = median_interval(
                    self.differences(route, PAIRS.get(route, PAIRS_OTHERWISE)))
                self.assertFalse(tells_apart(seen, TOLERANCE_US), seen)

    @staticmethod
    def without_date(answer):
        return b"\r\n".join(line for line in answer.split(b"\r\n")
                            if not line.lower().startswith(b"date:"))


if __name__ == "__main__":
    unittest.main()
