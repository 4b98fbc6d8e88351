"""./dev bench json: decoding the floats of one image from JSON, beside simdjson; .npy and binary.

Both parsers read the same text in the same process, in turn: once with the shortest digits of each
float, once with those of the double that it equals, as Python's own JSON has them.
"""

import argparse
import collections
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from support.rounds import describe, goal  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--quick", action="store_true", help="50 rounds instead of 300")
    arguments = parser.parse_args()
    done = subprocess.run([arguments.programs / "json_bench", "50" if arguments.quick else "300"],
                          capture_output=True, text=True, check=True)
    times = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        name, nanoseconds = line.split()
        times[name].append(int(nanoseconds) / 1e3)
    for name, values in times.items():
        print("  " + describe(name, values, "us", digits=1))
    met = True
    for digits in ("short", "long"):
        ratio = statistics.median(ours / theirs for ours, theirs in zip(
            times[f"json_{digits}"], times[f"simdjson_{digits}"]))
        met &= goal(f"json: {digits} digits take {ratio:.2f} times simdjson's time (goal 3)",
                    ratio, 3)
    for name in ("binary", "npy"):
        ratio = statistics.median(ours / copy for ours, copy in zip(times[name], times["copy"]))
        met &= goal(f"json: {name} takes {ratio:.2f} times a copy (goal 1.1)", ratio, 1.1)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
