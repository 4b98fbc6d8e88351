"""500 times damage to the store under a running server: no wrong byte is served, none stops it."""

import argparse
import pathlib
import sys
import tempfile

from vault.server_tamper import tamper


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cloister-tamper-") as folder:
        wrong = tamper(pathlib.Path(folder), arguments.count, arguments.seed)
    print("\n".join(wrong))
    print(f"damaged: {arguments.count}, wrong: {len(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
