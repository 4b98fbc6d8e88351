"""A million malformed requests from a seeded generator, as tests/malformed sends them in small.

--count N sends another number. No answer may break the contract, and memory must stay flat.
"""

import argparse
import os
import sys
import unittest


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    os.environ["CLOISTER_MALFORMED_REQUESTS"] = str(parser.parse_args().count)
    from malformed.malformed_test import Malformed
    suite = unittest.TestSuite(
        [Malformed("test_answers_malformed_requests_rightly_and_grows_no_more")])
    return 0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
