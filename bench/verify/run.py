"""./dev bench verify: the time to verify one TDX quote with its collateral in hand.

Chain, revocation lists, collateral and quote are checked anew each time. The quote is recorded
evidence beside the repository; without it there is nothing to measure, and this says so.
"""

import argparse
import datetime
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTOR = "v4_dstack_uptodate"
GOAL_MILLISECONDS = 1.5


def prepare(vectors, folder):
    document = json.loads((vectors / "vectors.json").read_text())
    vector = next(v for v in document["vectors"] if v["id"] == VECTOR)
    shutil.copy(vectors / vector["quote"], folder / "td.quote")
    for file in (vectors / vector["collateral"]).iterdir():
        shutil.copy(file, folder / file.name)
    now = datetime.datetime.fromisoformat(vector["verify_at"]).timestamp()
    (folder / "now.txt").write_text(str(int(now)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--vectors", type=pathlib.Path,
                        default=ROOT.parent / "shared" / "attest-vectors")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if not (options.vectors / "vectors.json").exists():
        print(f"SKIPPED: no recorded evidence at {options.vectors}")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prepare(options.vectors, folder)
        rounds = "100" if options.quick else "2000"
        done = subprocess.run([options.programs / "verify_bench", folder, rounds],
                              capture_output=True, text=True, check=True)
    times = sorted(int(line) / 1e6 for line in done.stdout.split())
    median = statistics.median(times)
    print(f"TDX quote with collateral, {len(times)} rounds: median {median:.3f} ms, "
          f"fastest {times[0]:.3f} ms, 99 % within {times[len(times) * 99 // 100 - 1]:.3f} ms")
    print(f"verify: {median:.3f} ms (goal {GOAL_MILLISECONDS} ms)")
    raise SystemExit(0 if median <= GOAL_MILLISECONDS else 1)


if __name__ == "__main__":
    main()
