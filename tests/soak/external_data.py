"""A model of more than 500 MB whose values lie beside it, uploaded by the command line client.

It must be stored as one file, give what the runtime gives with both files, and the client may not
hold more than a small part of it in memory.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx

from support.server import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "backend_suite"))

import cases  # noqa: E402  # pylint: disable=wrong-import-position

PEAK_MAX = 64 << 20
MODEL = "vgg16"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "build" / "suite")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build" / "dev" / "bin")
    arguments = parser.parse_args()
    subprocess.run([sys.executable, str(ROOT / "bench" / "suite" / "generate.py"), "--out",
                    str(arguments.models), MODEL], check=True)
    with tempfile.TemporaryDirectory(prefix="cloister-external-") as name:
        return run(pathlib.Path(name), arguments)


def peak_of(process):
    """The most memory that a process held until it ended. It only grows, so that looking often is
    enough; what wait4 tells would include this process's own at the fork."""
    peak = 0
    while True:
        try:
            process.wait(0.02)
            return peak
        except subprocess.TimeoutExpired:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    peak = int(line.split()[1]) << 10


def run(folder, arguments):
    path = folder / "model.onnx"
    onnx.save_model(onnx.load(str(arguments.models / f"{MODEL}.onnx")), str(path),
                    save_as_external_data=True, location="model.onnx.data")
    print(f"{path.stat().st_size} bytes, and {path.with_name('model.onnx.data').stat().st_size} "
          "beside it")
    inputs = arguments.models / f"{MODEL}.input.npy"
    session = cases.session_of(str(path))
    wanted = session.run(None, {session.get_inputs()[0].name: np.load(inputs)})[0]
    del session
    with Server(arguments.programs, folder / "server") as server:
        client = [str(arguments.programs / "cloister")]
        flags = ["--server", server.url, "--allow-simulation"]
        environment = {**os.environ, "CLOISTER_TOKEN": server.token}
        upload = subprocess.Popen([*client, "upload", "large", "1", str(path), *flags],
                                  env=environment, stdout=subprocess.PIPE, text=True)
        peak = peak_of(upload)
        print(upload.stdout.read(), end="")
        subprocess.run([*client, "infer", "large", "--input", str(inputs), "--output",
                        str(folder / "out.npy"), *flags], env=environment, check=True)
    same = np.array_equal(np.load(folder / "out.npy"), wanted)
    print(f"the client's memory: {peak / 2**20:.1f} MiB at most (bound {PEAK_MAX >> 20})")
    print("the same result, bit for bit" if same else "another result")
    good = upload.returncode == 0 and same and 0 < peak < PEAK_MAX
    print(f"{int(good)} passed, {int(not good)} failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
