"""./dev bench admission: what it costs to validate and re-encode a model, or to refuse one.

The time for an 830 MB model stands against two copies of its bytes in memory, made in the same
round; beside it stands the peak of memory that admission took. Refusals are those of every hostile
model of tests/hostile_models.
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

MODEL = "lm-830mb"


def figures_of(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"admission_bench failed: {done.stderr}")
    figures = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        name, value = line.split()
        figures[name].append(int(value))
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    models.add_option(parser)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    program = options.programs / "admission_bench"
    models.make(options.suite, MODEL)
    figures = figures_of(program, options.suite / f"{MODEL}.onnx", 5 if options.quick else 25)
    print(describe("admission", [value / 1e6 for value in figures["admit"]], "ms"))
    print(describe("two copies", [value / 1e6 for value in figures["copies"]], "ms", digits=1))
    share = statistics.median(a / b for a, b in zip(figures["admit"], figures["copies"]))
    extra = max(figures["extra_kib"]) / 1024
    refusals = figures_of(program, "hostile")
    slowest = max(refusals["refusal_us"]) / 1e6
    largest = max(refusals["refusal_kib"]) / 1024
    print(f"{len(refusals['refusal_us'])} hostile models refused")
    met = [goal(f"admission of 830 MB, in times of two copies: {share:.3f} (goal 1)", share, 1),
           goal(f"memory beside the model: {extra:.1f} MiB (goal 16)", extra, 16),
           goal(f"slowest refusal: {slowest:.3f} s (goal 1)", slowest, 1),
           goal(f"memory of a refusal: {largest:.1f} MiB (goal 64)", largest, 64)]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
