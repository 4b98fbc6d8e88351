"""./dev bench tiny: what a request costs beside the model: identity of one float, TLS keep-alive.

A handler that does nothing over the same HTTP library, the server with models in its own process
and the server with models in workers are asked in turn; CPU time is that of server and worker.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from onnx import TensorProto, helper  # noqa: E402
from support.rounds import describe, goal  # noqa: E402
from support.served import Server, family_of  # noqa: E402

CONNECTIONS = 64
ANSWER_BYTES = 120


def identity():
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "identity",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


def request_file(folder, token):
    body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1],
                                   "data": [1.5]}]}, separators=(",", ":"))
    head = ("POST /v2/models/tiny/infer HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {token}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n")
    path = folder / "request"
    path.write_text(head + body)
    return path


class Target:
    """Something that answers, and what it was seen to cost, round by round."""

    def __init__(self, name, program, port, request, pid):
        self.name, self.program, self.port = name, program, port
        self.request, self.pid = request, pid
        self.cpu, self.rate, self.median, self.tail = [], [], [], []

    def measure(self, requests):
        done = subprocess.run(
            [self.program, "load", str(self.port), self.request, str(CONNECTIONS), str(requests),
             *map(str, family_of(self.pid))], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{self.name}: {done.stderr}")
        cpu, rate, median, tail = map(float, done.stdout.split())
        self.cpu.append(cpu / 1e3)
        self.rate.append(rate)
        self.median.append(median / 1e6)
        self.tail.append(tail / 1e6)


def report(target):
    print("  " + describe(target.name, target.cpu, "us of CPU a request", digits=1)
          + f"; {1e6 / statistics.median(target.cpu):.0f} requests per CPU second; "
          f"p50 {statistics.median(target.median):.2f} ms, "
          f"p99 {statistics.median(target.tail):.2f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--quick", action="store_true", help="5 rounds of 6,400 instead of 15")
    arguments = parser.parse_args()
    program = arguments.programs / "tiny_bench"
    rounds, requests = (5, 6400) if arguments.quick else (15, 12800)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        bare = subprocess.Popen([program, "bare", str(ANSWER_BYTES)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        with Server(arguments.programs, folder / "i", ["--isolation", "inline"]) as inline, \
                Server(arguments.programs, folder / "p", ["--isolation", "process"]) as process:
            targets = []
            for kind, server in (("inline", inline), ("process", process)):
                with server.session() as session:
                    stored = session.put(server.url + "/v2/models/tiny/versions/1",
                                         data=identity())
                    assert stored.status_code == 201, stored.text
                (folder / kind).mkdir()
                request = request_file(folder / kind, server.token)
                targets.append(Target(kind, program, server.address[1], request,
                                      server.process.pid))
            floor = Target("bare", program, int(bare.stdout.readline()), targets[0].request,
                           bare.pid)
            targets.insert(0, floor)
            for _ in range(rounds):
                for target in targets:
                    target.measure(requests)
        bare.stdin.close()
        bare.wait(timeout=30)
    for target in targets:
        report(target)
    met = True
    for target, most in zip(targets[1:], (25, 60)):
        above = statistics.median(a - b for a, b in zip(target.cpu, floor.cpu))
        met &= goal(f"tiny: {target.name} {above:.1f} us of CPU above the bare handler "
                    f"(goal {most})", above, most)
        ratio = statistics.median(a / b for a, b in zip(target.tail, target.median))
        met &= goal(f"tiny: {target.name} p99 is {ratio:.1f} times p50 (goal 10)", ratio, 10)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
