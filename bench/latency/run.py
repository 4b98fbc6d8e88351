"""./dev bench latency: what a request over HTTPS costs above the runtime and a bare TLS connection.

Three things are timed in one run, one after the other in every round, with a ResNet-50's input of
602,112 bytes and output of 4,000: the runtime called directly, the same bytes both ways over a bare
TLS connection, and the real server. The difference of each round is server - direct - bare.

The model of these rounds has a ResNet-50's input and output but computes almost nothing: the work
around a run is what is measured, and it would drown in the noise of an 80 ms run. `--model FILE`
times a real one as well, with input and output named and shaped as in bench/suite.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from support.rounds import describe, goal, quartiles  # noqa: E402
from support.served import Server, content_digest  # noqa: E402

GOAL_MS = 0.4


def upload(server, name, model):
    with server.session() as session:
        answer = session.put(f"{server.url}/v2/models/{name}/versions/1", data=model, headers={
            "Content-Type": "application/octet-stream",
            "Content-Digest": content_digest(model)})
        if answer.status_code not in (200, 201):
            raise SystemExit(f"upload refused: {answer.status_code} {answer.text}")


def rounds_of(program, server, folder, model, name, count):
    """(direct, bare, server) in milliseconds, for each round."""
    token = folder / "token"
    token.write_text(server.token)
    done = subprocess.run(
        [program, "run", model, str(count), str(server.address[1]), f"/v2/models/{name}/infer",
         token], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"latency_bench failed: {done.stderr}")
    return [tuple(int(field) / 1e6 for field in line.split()) for line in done.stdout.splitlines()]


def report(title, rounds):
    """Prints one model's table and returns the median of the differences."""
    print(f"{title}: {len(rounds)} rounds")
    for name, column in (("runtime, called directly", 0), ("bare TLS, same bytes", 1),
                         ("cloisterd, .npy over HTTPS", 2)):
        print("  " + describe(name, [each[column] for each in rounds], "ms"))
    above = [each[2] - each[0] - each[1] for each in rounds]
    print("  " + describe("above the floor", above, "ms"))
    return quartiles(above)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--quick", action="store_true", help="40 rounds instead of 200")
    parser.add_argument("--model", type=pathlib.Path, help="time this model too")
    arguments = parser.parse_args()
    rounds = 40 if arguments.quick else 200
    program = arguments.programs / "latency_bench"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        cheap = folder / "cheap.onnx"
        subprocess.run([program, "model", cheap], check=True)
        with Server(arguments.programs, folder / "store") as server:
            upload(server, "cheap", cheap.read_bytes())
            above = report("cheap model",
                           rounds_of(program, server, folder, cheap, "cheap", rounds))
            if arguments.model:
                upload(server, "real", arguments.model.read_bytes())
                report(arguments.model.name, rounds_of(program, server, folder, arguments.model,
                                                       "real", rounds))
    met = goal(f"latency: {above:.3f} ms above the floor (goal {GOAL_MS} ms)", above, GOAL_MS)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
