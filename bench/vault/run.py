"""./dev bench vault: opening and sealing a model beside the same work done bare, and the catalogue.

"Bare" is pread into, and decryption by two threads with the fastest packaged library in, fresh
memory in huge pages. Every round does both in place and beside, one after the other with the
vault's opening; the one with the smaller median counts, and ratios are of one round. Memory is
touched and given back before each measurement, because a virtual machine's host may have taken free
memory away. From a cold disk the vault opens into memory that is already touched; the disk's rate
is that of the quickest of four ways to read the same file, buffered and past the page cache, with
few and with many requests under way. The folder must be on the disk that is to be measured.
"""

import argparse
import collections
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from support.rounds import describe, goal, quartiles  # noqa: E402


def measure(program, what, folder, size, rounds):
    """The program's figures by name, in nanoseconds or as they are."""
    done = subprocess.run([program, what, folder, str(size), str(rounds)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"vault_bench {what} failed: {done.stderr}")
    figures = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        name, value = line.split()
        figures[name].append(int(value))
    return figures


def median(values):
    return quartiles(values)[1]


def quickest(figures, names):
    """Of several ways to do one thing, the one that takes least time in most rounds."""
    return min(names, key=lambda name: median(figures[name]))


def describe_all(figures):
    for name, values in figures.items():
        if name.startswith("cipher_"):
            print(f"cipher: {name.removeprefix('cipher_')}")
        else:
            print("  " + describe(name, [value / 1e6 for value in values], "ms", digits=0))


def bench_model(program, folder, megabytes, rounds):
    figures = measure(program, "model", folder / "model", megabytes, rounds)
    describe_all(figures)

    def ratio_of(name, floor):
        return median([figure / base for figure, base in zip(figures[name], floor)])

    def ratio(name, floor, floor_cpu, bound):
        wall, cpu = ratio_of(name, floor), ratio_of(f"{name}_cpu", floor_cpu)
        return goal(f"{name}: {wall:.2f} times bare, {cpu:.2f} in processor time (goal {bound})",
                    wall, bound)

    name = quickest(figures, ["open_bare_beside", "open_bare_in_place"])
    bare, bare_cpu = figures[name], figures[name + "_cpu"]
    return [
        ratio("open_tags", bare, bare_cpu, 1.15),
        ratio("open_full", bare, bare_cpu, 2.5),
        ratio("seal", figures["seal_bare"], figures["seal_bare_cpu"], 1.3),
    ]


def bench_touched(program, folder, megabytes, rounds):
    figures = measure(program, "touched", folder / "touched", megabytes, rounds)
    describe_all(figures)
    rate = megabytes * 1e6 / median(figures["open_touched"])
    name = quickest(figures, [each for each in figures
                              if each.startswith("disk_") and not each.endswith("_cpu")])
    cold = median([base / figure for figure, base in zip(figures["open_cold"], figures[name])])
    print(f"  the disk at its best: {name}, {megabytes * 1e6 / median(figures[name]):.1f} GB/s")
    return [
        goal(f"open_touched: {rate:.1f} GB/s (goal 4)", -rate, -4),
        goal(f"open_cold: {cold:.0%} of the disk's rate (goal 90%)", -cold, -0.9),
    ]


def bench_memory(program, folder, megabytes):
    sealing = measure(program, "one", folder / "one", megabytes, 1)["peak_sealing_kib"][0]
    opening = measure(program, "peak", folder / "one", megabytes, 1)["peak_over_model_kib"][0]
    return [
        goal(f"peak_opening: model + {opening / 1024:.1f} MiB (goal 16)", opening, 16384),
        goal(f"peak_sealing: model + {sealing / 1024:.1f} MiB (goal 16)", sealing, 16384),
    ]


def bench_catalogue(program, folder, batches):
    """Starts and commits with 10 and with 10,000 versions, in turn."""
    stores = {"10": folder / "few", "10,000": folder / "many"}
    for count, store in stores.items():
        measure(program, "fill", store, count.replace(",", ""), 1)
    figures = {count: collections.defaultdict(list) for count in stores}
    for _ in range(batches):
        for count, store in stores.items():
            for name, values in measure(program, "catalogue", store, 0, 4).items():
                figures[count][name] += values
    results = []
    for name in ("start", "commit"):
        for count in stores:
            times = [time / 1e6 for time in figures[count][name]]
            print("  " + describe(f"{name}, {count} versions", times, "ms"))
        ratio = median(figures["10,000"][name]) / median(figures["10"][name])
        results.append(goal(f"{name}: {ratio:.2f} times with 10,000 versions (goal 2)", ratio, 2))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 11")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build",
                        help="where the stores are made: on the disk to measure")
    parser.add_argument("--only", choices=("model", "touched", "memory", "catalogue"),
                        help="one part alone")
    arguments = parser.parse_args()
    rounds = 3 if arguments.quick else 11
    program = arguments.programs / "vault_bench"
    folder = pathlib.Path(tempfile.mkdtemp(dir=arguments.folder))
    try:
        for name in ("model", "touched", "one", "few", "many"):
            (folder / name).mkdir()
        parts = {
            "model": lambda: bench_model(program, folder, 830, rounds),
            "touched": lambda: bench_touched(program, folder, 830, rounds),
            "memory": lambda: bench_memory(program, folder, 830),
            "catalogue": lambda: bench_catalogue(program, folder, rounds),
        }
        wanted = [arguments.only] if arguments.only else parts
        results = [met for name in wanted for met in parts[name]()]
    finally:
        shutil.rmtree(folder)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
