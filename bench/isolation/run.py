"""./dev bench isolation: what it costs to run a model in a process of its own.

Both run the same models in turn, on the same inputs; differences and ratios are of one round. What
a large model costs more is a ratio of processor times, of both processes: other work on the machine
changes times by more than what is looked for. Time itself is printed beside it.
"""

import argparse
import collections
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from support import models  # noqa: E402
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


def ratio(figures, name, base):
    return statistics.median(a / b for a, b in zip(figures[name], figures[base]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    models.add_option(parser)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    program = options.programs / "isolation_bench"
    met = True
    plan = {"identity": 2000, "resnet50": 150}
    models.make(options.suite, *plan)
    for name, rounds in plan.items():
        figures = measure(program, options.suite / f"{name}.onnx",
                          rounds // 10 if options.quick else rounds)
        print(f"{name}:")
        for kind in ("inline", "process"):
            print("  " + describe(kind, [value / 1e3 for value in figures[kind]], "us", digits=1))
        added = statistics.median(b - a for a, b in zip(figures["inline"], figures["process"]))
        if name == "identity":
            met &= goal(f"  crossing the border: {added / 1e3:.1f} us (goal 60)", added, 60_000)
        else:
            share = ratio(figures, "process_busy", "inline_busy") - 1
            print(f"  in time: {ratio(figures, 'process', 'inline') - 1:.2%}")
            met &= goal(f"  crossing the border: {share:.2%} of processor time (goal 1%)", share,
                        0.01)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
