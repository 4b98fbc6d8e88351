"""./dev bench coldstart: an encrypted model's first answer beside the plain runtime's.

"plain" is the runtime's own start from the plain file (CreateSession, Run), "floor" the same from a
plain file that was optimised beforehand, without prepacking, "encrypted" a sealed store, a warm
worker process and nothing of the model in memory. Every round does all three in random order;
ratios are of one round. Answers are compared with the plain run's.
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

from support.rounds import goal  # noqa: E402

MODELS = ("mobilenetv2", "resnet50", "bert-base", "vgg16", "efficientnetv2-l", "lm-830mb")


def measure(program, model, rounds, cache, folder):
    with tempfile.TemporaryDirectory(dir=folder, prefix="cloister-coldstart-") as place:
        done = subprocess.run([program, model, place, str(rounds), cache],
                              capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"coldstart_bench failed on {model}: {done.stderr}")
    figures = {}
    for line in done.stdout.splitlines():
        name, value = line.split()
        figures.setdefault(name, []).append(int(value))
    return figures


def middle(figures, name):
    return statistics.median(figures[name])


def ratio(figures, name, base):
    return statistics.median(a / b for a, b in zip(figures[name], figures[base]))


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--suite", type=pathlib.Path, default=ROOT / "build" / "suite",
                        help="folder with the models of bench/suite")
    parser.add_argument("--folder", type=pathlib.Path, help="on the disk to be measured")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--cache", choices=("warm", "cold"), default="warm")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds = 3 if options.quick else options.rounds
    print(f"page cache {options.cache}, {rounds} rounds, medians in ms; ratios of one round")
    print(f"{'model':18}{'plain':>8}{'floor':>8}{'encr.':>8}{'open':>7}{'create':>7}{'run':>7}"
          f"{'/plain':>8}{'/floor':>8}{'beside weights':>16}")
    ratios = []
    floors = []
    for model in options.models:
        figures = measure(options.programs / "coldstart_bench", options.suite / f"{model}.onnx",
                          rounds, options.cache, options.folder)
        ratios.append(ratio(figures, "encrypted", "plain"))
        floors.append(ratio(figures, "encrypted", "floor"))
        times = [middle(figures, name) / 1e6 for name in
                 ("plain", "floor", "encrypted", "open", "create", "first_run")]
        print(f"{model:18}{times[0]:8.0f}{times[1]:8.0f}{times[2]:8.0f}{times[3]:7.0f}"
              f"{times[4]:7.0f}{times[5]:7.0f}{ratios[-1]:8.2f}{floors[-1]:8.2f}"
              f"{middle(figures, 'overhead_bytes') / 2**20:12.0f} MiB", flush=True)
    mean = geometric_mean(ratios)
    met = [goal(f"encrypted against plain, geometric mean {mean:.2f} (goal 0.55)", mean, 0.55),
           goal(f"worst model {max(ratios):.2f} (goal 0.75)", max(ratios), 0.75),
           goal(f"worst against its floor {max(floors):.2f} (goal 1.25)", max(floors), 1.25)]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
