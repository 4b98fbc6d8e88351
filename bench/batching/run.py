"""./dev bench batching: what dynamic batching gains for a model that is bound by its weights.

Three dense layers of 4,096, 16 clients that ask for one row each. The server's gain is its rate
with batches of up to 8 over that without; the runtime's gain is that of two threads that run as
many rows at a time as the server's batches had, over one row at a time, measured in turn with it.
"""

import argparse
import io
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from support.rounds import describe  # noqa: E402
from support.served import Server  # noqa: E402

WIDTH, LAYERS, CLIENTS, BATCH, SLOTS = 4096, 3, 16, 8, 2


def dense_model():
    random = np.random.default_rng(1)
    nodes, weights, value = [], [], "x"
    for layer in range(LAYERS):
        weight = (random.standard_normal((WIDTH, WIDTH)) / WIDTH ** 0.5).astype(np.float32)
        weights.append(helper.make_tensor(f"w{layer}", TensorProto.FLOAT, weight.shape,
                                          weight.tobytes(), raw=True))
        nodes.append(helper.make_node("MatMul", [value, f"w{layer}"], [f"m{layer}"]))
        value = "y" if layer + 1 == LAYERS else f"v{layer}"
        nodes.append(helper.make_node("Relu", [f"m{layer}"], [value]))
    graph = helper.make_graph(
        nodes, "dense", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", WIDTH])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


class Runtime:
    """The runtime alone, one thread per run and SLOTS runs at a time."""

    def __init__(self, model):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.sessions = [onnxruntime.InferenceSession(model, options) for _ in range(SLOTS)]

    def rate(self, rows, seconds):
        row = np.random.default_rng(2).random((rows, WIDTH), dtype=np.float32)
        counts = [0] * SLOTS
        until = time.monotonic() + seconds

        def work(slot):
            while time.monotonic() < until:
                self.sessions[slot].run(None, {"x": row})
                counts[slot] += rows
        threads = [threading.Thread(target=work, args=(slot,)) for slot in range(SLOTS)]
        began = time.monotonic()
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return sum(counts) / (time.monotonic() - began)


class Served:
    """The server, asked by CLIENTS over keep-alive TLS."""

    def __init__(self, program, server, folder, model):
        self.program, self.server, self.session = program, server, server.session()
        self.session.put(server.url + "/v2/models/dense/versions/1", data=model).raise_for_status()
        out = io.BytesIO()
        np.save(out, np.random.default_rng(3).random((1, WIDTH), dtype=np.float32))
        head = ("POST /v2/models/dense/infer HTTP/1.1\r\nhost: a\r\n"
                f"authorization: Bearer {server.token}\r\ncontent-type: application/x-npy\r\n"
                f"content-length: {out.tell()}\r\n\r\n")
        self.request = folder / "request"
        self.request.write_bytes(head.encode() + out.getvalue())

    def configure(self, batch):
        config = {"max_batch_size": batch, "dynamic_batching": {
            "preferred_batch_size": [batch], "max_queue_delay_microseconds": 5000}}
        self.session.post(
            self.server.url + "/v2/repository/models/dense/load",
            json={"parameters": {"config": json.dumps(config if batch else {})}}
        ).raise_for_status()

    def counts(self):
        stats = self.session.get(self.server.url + "/v2/models/dense/stats").json()
        return [stats["model_stats"][0][key] for key in ("inference_count", "execution_count")]

    def rate(self, requests):
        done = subprocess.run([self.program, "load", str(self.server.address[1]), self.request,
                               str(CLIENTS), str(requests), str(self.server.process.pid)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        return float(done.stdout.split()[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 7")
    arguments = parser.parse_args()
    model = dense_model()
    runtime = Runtime(model)
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with Server(arguments.programs, folder / "store") as server:
            served = Served(arguments.programs / "tiny_bench", server, folder, model)
            for _ in range(3 if arguments.quick else 7):
                served.configure(0)
                alone = served.rate(320)
                served.configure(BATCH)
                before = served.counts()
                together = served.rate(1600)
                inferences, runs = (b - a for a, b in zip(before, served.counts()))
                reached = inferences / runs
                own = runtime.rate(round(reached), 3) / runtime.rate(1, 3)
                rounds.append((alone, together, reached, together / alone, own))
    for place, text, unit in ((0, "alone", "requests/s"), (1, "batched", "requests/s"),
                              (2, "batch size reached", "rows"), (3, "the server's gain", "times"),
                              (4, "the runtime's gain", "times")):
        print("  " + describe(text, [each[place] for each in rounds], unit, digits=1))
    share = statistics.median(gain / own for *_, gain, own in rounds)
    met = share >= 0.7
    print(f"batching: {share:.0%} of the runtime's own gain (goal 70%) -- "
          f"{'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
