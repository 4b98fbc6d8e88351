"""./dev bench isolation: what it costs to run a model in a process of its own.

Both run the same models in turn, on the same inputs; differences and ratios are of one round.
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


def measure(program, model, rounds):
    done = subprocess.run([program, model, str(rounds)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"isolation_bench failed on {model}: {done.stderr}")
    figures = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        name, value = line.split()
        figures[name].append(int(value))
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--suite", type=pathlib.Path, default=ROOT / "build" / "suite",
                        help="folder with the models of bench/suite")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    program = options.programs / "isolation_bench"
    met = True
    for name, rounds in (("identity", 2000), ("resnet50", 60)):
        figures = measure(program, options.suite / f"{name}.onnx",
                          rounds // 10 if options.quick else rounds)
        print(f"{name}:")
        for kind in ("inline", "process"):
            print("  " + describe(kind, [value / 1e3 for value in figures[kind]], "us", digits=1))
        added = statistics.median(b - a for a, b in zip(figures["inline"], figures["process"]))
        share = statistics.median(b / a for a, b in zip(figures["inline"], figures["process"])) - 1
        if name == "identity":
            met &= goal(f"  crossing the border: {added / 1e3:.1f} us (goal 60)", added, 60_000)
        else:
            met &= goal(f"  crossing the border: {share:.2%} (goal 1%)", share, 0.01)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
