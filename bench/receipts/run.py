"""./dev bench receipts: what a receipt costs above the same request without, and whether all hold.

The server runs on one core. Requests with and without a receipt follow each other on one
connection; the difference of each pair counts: by the clock with small bodies, in CPU time with
large ones, whose goal has their SHA-256 added, as the client measures it in the same round.
Then 10,000 receipts are collected under load, and judged after the server has gone.
"""

import argparse
import io
import pathlib
import ssl
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import numpy as np  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from support.rounds import describe, goal, quartiles  # noqa: E402
from support.served import Server, family_of  # noqa: E402

GOAL_US = 150
CONNECTIONS = 16
NPY_HEAD = 128
SIZES = {"4 KiB": 4096, "1 MiB": 1 << 20}


def identity():
    shape = ["n"]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "identity",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


def request_files(folder, token, size):
    """Two whole requests with a body of `size` bytes: without a receipt, and with one wanted."""
    out = io.BytesIO()
    np.save(out, np.arange((size - NPY_HEAD) // 4, dtype=np.float32))
    body = out.getvalue()
    assert len(body) == size
    head = ("POST /v2/models/echo/infer HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {token}\r\ncontent-type: application/x-npy\r\n"
            f"content-length: {size}\r\n")
    wanted = "cloister-receipt: want\r\ncloister-receipt-nonce: AAAAAAAAAAAAAAAA\r\n"
    files = []
    for name, more in (("plain", ""), ("wanted", wanted)):
        path = folder / f"{name}-{size}"
        path.write_bytes((head + more + "\r\n").encode() + body)
        files.append(path)
    return files


def ask(*arguments):
    done = subprocess.run([str(each) for each in arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"receipts_bench failed: {done.stderr}")
    return done.stdout


def cost(program, server, files, rounds, name):
    """Medians in microseconds: added by the clock, added CPU time, SHA-256 over both bodies."""
    ask(program, "collect", server.address[1], files[1], 1, 50)  # by then all workers are there
    table = [[int(field) / 1e3 for field in line.split()]
             for line in ask(program, "compare", server.address[1], *files, rounds,
                             *family_of(server.process.pid)).splitlines()]
    columns = {
        "without a receipt": [each[0] for each in table],
        "with a receipt": [each[1] for each in table],
        "added": [each[1] - each[0] for each in table],
        "added CPU time": [each[3] - each[2] for each in table],
        "SHA-256 of both bodies": [each[4] for each in table],
    }
    print(f"bodies of {name}: {len(table)} rounds")
    for title, values in columns.items():
        print("  " + describe(title, values, "us", digits=1))
    return [quartiles(values)[1] for values in list(columns.values())[2:]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, 2,000 receipts")
    arguments = parser.parse_args()
    program = arguments.programs / "receipts_bench"
    rounds, count = (500, 2_000) if arguments.quick else (4_000, 10_000)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        one_core = ["taskset", "--cpu-list", "0"]
        with Server(arguments.programs, folder / "store", prefix=one_core) as server:
            with server.session() as session:
                stored = session.put(server.url + "/v2/models/echo/versions/1", data=identity())
                assert stored.status_code == 201, stored.text
            port = server.address[1]
            files = {size: request_files(folder, server.token, size) for size in SIZES.values()}
            costs = {name: cost(program, server, files[size],
                                rounds if size == 4096 else rounds // 4, name)
                     for name, size in SIZES.items()}
            collected = folder / "collected"
            collected.write_text(ask(program, "collect", port, files[4096][1], CONNECTIONS, count))
            certificate = folder / "certificate.der"
            certificate.write_bytes(ssl.PEM_cert_to_DER_cert(server.certificate()))
        held = int(ask(program, "verify", certificate, files[4096][1], collected))
    met = True
    added, _, _ = costs["4 KiB"]
    met &= goal(f"receipts: {added:.1f} us added with bodies of 4 KiB (goal {GOAL_US} us)", added,
                GOAL_US)
    _, added, hashing = costs["1 MiB"]
    met &= goal(f"receipts: {added:.1f} us of CPU added with bodies of 1 MiB "
                f"(goal {GOAL_US + hashing:.0f} us)", added, GOAL_US + hashing)
    met &= goal(f"receipts: {count - held} of {count} under load do not verify offline (goal 0)",
                count - held, 0)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
