"""Damages real stores in every way that a host can and opens each: more than 100,000 times."""

import argparse
import subprocess
import sys
import tempfile

from vault.tool import PROGRAM


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000,
                        help="different ones of each class, where it has as many")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cloister-tamper-") as folder:
        return subprocess.run([PROGRAM, "tamper", folder, str(arguments.count),
                               str(arguments.seed)]).returncode


if __name__ == "__main__":
    sys.exit(main())
