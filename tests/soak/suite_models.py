"""The thirteen models of the evaluation, fp32 and dynamically quantised, through a whole server.

Each must be accepted and give, bit for bit, what the runtime gives when it is called directly with
matrices packed or with matrices not packed. The models are
made by bench/suite/generate.py, in --models FOLDER (4 GB), and kept there.
"""

import argparse
import pathlib
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "backend_suite"), str(ROOT / "bench" / "suite")]

import backends  # noqa: E402  # pylint: disable=wrong-import-position
import cases  # noqa: E402  # pylint: disable=wrong-import-position
import catalogue  # noqa: E402  # pylint: disable=wrong-import-position


def judge(server, path, sample):
    """What came of one model, in a few words; empty where all is well."""
    feeds = {cases.session_of(str(path)).get_inputs()[0].name: sample}
    either = cases.runtime_results(str(path), feeds)
    try:
        server.load(str(path))
    except backends.Refused as refusal:
        return f"refused: {refusal}"
    got = server.run(feeds)
    server.unload()
    for wanted in either:
        if all(cases.agrees(a, b, exactly=True) for a, b in zip(got, wanted, strict=True)):
            return ""
    worst = max(float(np.abs(a - b).max()) for a, b in zip(got, either[1]))
    return f"differs, by {worst:.2e} at most"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "build" / "suite")
    parser.add_argument("--programs", default=str(ROOT / "build" / "dev" / "bin"))
    parser.add_argument("names", nargs="*", default=list(catalogue.PAPER))
    arguments = parser.parse_args()
    subprocess.run([sys.executable, str(ROOT / "bench" / "suite" / "generate.py"), "--out",
                    str(arguments.models), "--int8", *arguments.names], check=True)
    server = backends.WholeServer(arguments.programs)
    failed = 0
    for name in arguments.names:
        sample = np.load(arguments.models / f"{name}.input.npy")
        for kind in (name, f"{name}.int8"):
            said = judge(server, arguments.models / f"{kind}.onnx", sample)
            failed += bool(said)
            print(f"{kind}: {said or 'accepted, the same bit for bit'}", flush=True)
    server.close()
    count = 2 * len(arguments.names)
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
