"""./dev bench coldstart: an encrypted model's first answer beside the plain runtime's; hot runs.

"plain" is the runtime's own start from the plain file (CreateSession, Run), "floor" the same from a
plain file that was optimised beforehand, without prepacking, "encrypted" a sealed store, a warm
worker process and nothing of the model in memory. Every round does all three in random order, with
the page cache as it is and again with it dropped before each; ratios are of one round. "hot" is a
run in the worker, within a minute of its first use, beside one of the runtime called directly with
its defaults, in turn; what is judged there is processor time, of all processes that took part, as
other work on the machine does not change it. How quick a session is depends on where its memory
happens to lie, by a tenth and more: the runtime's session and the worker are made anew seven times
(the runtime's in one process, so that it may get the same addresses again), and the ratio is the
median of the sessions' ratios, with their range beside it. Answers are compared with the plain
run's every time.
"""

import argparse
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from support import models  # noqa: E402
from support.rounds import goal  # noqa: E402

CONVOLUTIONAL = ("mobilenetv2", "resnet50", "vgg16", "efficientnetv2-l")
MODELS = ("mobilenetv2", "resnet50", "bert-base", "vgg16", "efficientnetv2-l", "lm-830mb")
MIB = 2**20


def measure(program, model, rounds, parts, folder):
    """Numbers by part and name, in the order in which they came."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="cloister-coldstart-") as place:
        done = subprocess.run([program, model, place, str(rounds), *parts],
                              capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"coldstart_bench failed on {model}: {done.stderr}")
    figures = {}
    for line in done.stdout.splitlines():
        part, name, value = line.split()
        figures.setdefault(part, {}).setdefault(name, []).append(int(value))
    return figures


def ratio(figures, name, base):
    return statistics.median(a / b for a, b in zip(figures[name], figures[base]))


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


def print_starts(part, results):
    """One part's table; returns (encrypted of plain, encrypted of floor) by model."""
    print(f"\npage cache {part}: medians in ms; ratios of one round")
    print(f"{'model':18}{'plain':>7}{'floor':>7}{'encr.':>7} ={'open':>6}{'create':>7}{'run':>6}"
          f"{'weights':>9}{'/plain':>8}{'/floor':>8}")
    ratios = {}
    for model, figures in results.items():
        of = figures[part]
        ratios[model] = ratio(of, "encrypted", "plain"), ratio(of, "encrypted", "floor")
        times = [statistics.median(of[name]) / 1e6 for name in
                 ("plain", "floor", "encrypted", "open", "create", "first_run", "weights")]
        print(f"{model:18}{times[0]:7.0f}{times[1]:7.0f}{times[2]:7.0f} ={times[3]:6.1f}"
              f"{times[4]:7.1f}{times[5]:6.0f}{times[6]:9.0f}"
              f"{ratios[model][0]:8.2f}{ratios[model][1]:8.2f}")
    return ratios


def judge_starts(part, ratios):
    plain = [each[0] for each in ratios.values()]
    floor = [each[1] for each in ratios.values()]
    mean = geometric_mean(plain)
    met = [goal(f"coldstart: {part}, {mean:.2f} of plain, geometric mean (goal 0.55)", mean, 0.55)]
    if part == "warm":
        met += [
            goal(f"coldstart: worst model {max(plain):.2f} of plain (goal 0.75)", max(plain), 0.75),
            goal(f"coldstart: worst {max(floor):.2f} of its floor (goal 1.25)", max(floor), 1.25)]
    return met


def judge_hot(results):
    """Hot runs and what a loaded model takes, its worker included."""
    print("\nhot, medians in ms of time and of processor time; memory of the loaded model with its "
          "worker, in MiB")
    print(f"{'model':18}{'direct':>8}{'ours':>8}{'ratio':>7}{'busy':>8}{'ours':>8}{'ratio':>7}"
          f"{'from':>6}{'to':>6}{'packed':>8}{'weights':>9}{'all':>7}{'goal':>7}")
    met = []
    worst = 0
    for model, figures in results.items():
        of = figures["hot"]
        each = [a / b for a, b in zip(of["ours_busy"], of["direct_busy"])]
        slower = statistics.median(each)
        worst = max(worst, slower)
        weights = figures["upload"]["weights_bytes"][0]
        taken = weights + of["overhead_bytes"][-1]
        bound = 1.35 * weights + 40 * MIB if model in CONVOLUTIONAL else math.inf
        met.append(taken <= bound)
        limit = f"{bound / MIB:7.0f}" if model in CONVOLUTIONAL else "      -"
        print(f"{model:18}{statistics.median(of['direct']) / 1e6:8.1f}"
              f"{statistics.median(of['ours']) / 1e6:8.1f}{ratio(of, 'ours', 'direct'):7.3f}"
              f"{statistics.median(of['direct_busy']) / 1e6:8.1f}"
              f"{statistics.median(of['ours_busy']) / 1e6:8.1f}{slower:7.3f}"
              f"{min(each):6.2f}{max(each):6.2f}"
              f"{'yes' if of['worth_packing'][0] else 'no':>8}{weights / MIB:9.0f}"
              f"{taken / MIB:7.0f}{limit}")
    misses = sum(not each for each in met)
    return [goal(f"coldstart: hot, worst {worst:.3f} of direct, processor time (goal 1.02)", worst,
                 1.02),
            goal(f"coldstart: {misses} models over their memory goal (goal 0)", misses, 0)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    models.add_option(parser)
    parser.add_argument("--folder", type=pathlib.Path, help="on the disk to be measured")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--parts", nargs="+", choices=("warm", "cold", "hot"),
                        default=("warm", "cold", "hot"))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    models.make(options.suite, *options.models)
    rounds = 3 if options.quick else options.rounds
    results = {model: measure(options.programs / "coldstart_bench",
                              options.suite / f"{model}.onnx", rounds, options.parts,
                              options.folder)
               for model in options.models}
    met = []
    for part in ("warm", "cold"):
        if part in options.parts:
            met += judge_starts(part, print_starts(part, results))
    if "hot" in options.parts:
        met += judge_hot(results)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
