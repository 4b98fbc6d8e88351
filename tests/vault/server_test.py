"""A store that the running server wrote: read by the independent implementation, and damaged."""

import hashlib
import os
import pathlib
import struct
import tempfile
import unittest

import numpy as np
import onnx
from onnx import numpy_helper

from e2e.case import DEMO, PROGRAMS, ROOT, demo_model, npy
from support.server import Server
from vault import store
from vault.server_tamper import model_of, tamper

MODELS = sorted(path.stem for path in DEMO.glob("*.onnx"))
MARK = b"INSECURE SIMULATION: this file holds the key of the store beside it.\n"


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def text(self):
        size = self.take("H")
        self.at += size
        return self.data[self.at - size:self.at].decode()


def read_bundle(segment):
    """(weights as name: (offset, bytes), canonical ONNX) of a graph segment."""
    reader = Reader(segment)
    assert reader.take("4sI") == (b"CLGB", 1)
    reader.take("Q")
    weights = {}
    for _ in range(reader.take("I")):
        name = reader.text()
        _, rank = reader.take("BB")
        reader.take(f"{rank}Q") if rank else ()
        weights[name] = reader.take("QQ")
    for _ in range(3):
        for _ in range(reader.take("I")):
            reader.text()
            for _ in range(reader.take("BBB")[1]):
                reader.take("BQ")
                reader.text()
    size = reader.take("Q")
    assert reader.at + size == len(segment)
    return weights, segment[reader.at:]


class ServerStore(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def test_serves_nothing_wrong_from_a_damaged_store(self):
        self.assertEqual(tamper(self.folder, 60, 1), [])

    def test_serves_what_is_not_in_the_page_cache(self):
        weights, model = model_of(3, 800_000)
        with Server(PROGRAMS, self.folder / "dev") as server, server.session() as http:
            stored = http.put(f"{server.url}/v2/models/m/versions/1", data=model)
            self.assertEqual(stored.status_code, 201, stored.text)
            unloaded = http.post(f"{server.url}/v2/repository/models/m/unload")
            self.assertEqual(unloaded.status_code, 200)
            for path in (self.folder / "dev" / "vault" / "versions").iterdir():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            answer = http.post(f"{server.url}/v2/models/m/infer", data=npy(np.float32([1])),
                               headers={"Content-Type": "application/x-npy"})
            self.assertEqual(answer.status_code, 200)
            self.assertTrue(answer.content.endswith((weights + np.float32(1)).tobytes()))

    def test_is_read_byte_for_byte_by_the_other_implementation(self):
        with Server(PROGRAMS, self.folder / "dev") as server, server.session() as http:
            for number, name in enumerate([*MODELS, MODELS[0]], 1):
                stored = http.put(f"{server.url}/v2/models/{name}/versions/{number}",
                                  data=demo_model(name))
                self.assertEqual(stored.status_code, 201, stored.text)
            erased = http.delete(f"{server.url}/v2/models/{MODELS[0]}/versions/{number}")
            self.assertEqual(erased.status_code, 200)
            epoch = None
            with self.subTest("also while the server runs"):
                epoch = self.read().epoch
        opened = self.read()
        # The stop put the ends of the usage log and of the audit log there.
        self.assertEqual(opened.epoch, epoch + 2)
        self.assertEqual(opened.erased, {("owner", MODELS[0], number)})
        self.assertIn(b"owner", opened.records["principals"])
        self.assertEqual(len(opened.versions), len(MODELS))
        for (owner, name, _), version in opened.versions.items():
            with self.subTest(name):
                self.assertEqual(owner, "owner")
                self.compare(opened, version, demo_model(name))

    def read(self):
        key = (self.folder / "dev" / "insecure-simulation-root.key").read_bytes()
        self.assertTrue(key.startswith(MARK))
        return store.read_store(self.folder / "dev" / "vault", key[len(MARK):])

    def compare(self, opened, version, data):
        self.assertEqual(version.sha256, hashlib.sha256(data).digest())
        self.assertEqual(version.upload_bytes, len(data))
        form = version.form()
        self.assertIsNotNone(form, "made at upload")
        folder = self.folder / "dev" / "vault" / "versions"
        self.assertEqual(version.stored_bytes, sum(
            (folder / each.file.hex()).stat().st_size for each in (version, form[2])))
        for each in (version, form[2]):
            self.assertEqual(each.build, self.software())
        optimised, _ = opened.read_version(form[2])
        self.assertTrue(optimised.startswith(b"CLGB"))
        segment, weights = opened.read_version(version)
        places, graph = read_bundle(segment)
        uploaded = onnx.load_from_string(data).graph
        canonical = onnx.load_from_string(graph).graph
        self.assertEqual([node.op_type for node in canonical.node],
                         [node.op_type for node in uploaded.node])
        sealed = {name: weights[offset:offset + size]
                  for name, (offset, size) in places.items()}
        for each in uploaded.initializer:
            content = numpy_helper.to_array(each)
            if each.name in sealed:
                self.assertEqual(sealed.pop(each.name), content.tobytes(), each.name)
            else:  # texts and what has no fixed size stay in the graph
                kept, = (other for other in canonical.initializer if other.name == each.name)
                self.assertEqual(numpy_helper.to_array(kept).tolist(), content.tolist())
        self.assertEqual(sealed, {})

    @staticmethod
    def software():
        runtime = ROOT / "build" / "onnxruntime" / "lib" / "libonnxruntime.so.1.27.0"
        parts = (PROGRAMS / "cloisterd", PROGRAMS / "cloister-sandbox", runtime)
        digests = (hashlib.sha256(each.read_bytes()).digest() for each in parts)
        return hashlib.sha256(b"".join(digests)).digest()


if __name__ == "__main__":
    unittest.main()
