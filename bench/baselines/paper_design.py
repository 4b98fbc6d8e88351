"""The reference system's design, rebuilt: Flask, NumPy, ONNX Runtime for Python, AES-GCM files.

A REST service over TLS that takes models, keeps each as one file encrypted with AES-256-GCM beside
its SHA-256, and runs them on `.npy` tensors, from memory or loaded on demand. Loading is one read,
one call of AES-GCM, one of hashlib, and a session made from the bytes. Written to be fast: one
process, keep-alive, no copy of a tensor that Python can avoid.

  paper_design.py STORE MODEL CERTIFICATE KEY

stores MODEL as `m`, prints its port and ends with its standard input.
"""

import hashlib
import io
import os
import pathlib
import sys
import threading

import numpy
import onnxruntime
from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, Response, abort, jsonify, request

NONCE = 12
DIGEST = 32
ELEMENTS = {"tensor(float)": numpy.float32, "tensor(int64)": numpy.int64}


class Models:
    """The models at rest and those in memory. The key never leaves this process."""

    def __init__(self, folder):
        self._folder = folder
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._digests = {}
        self._sessions = {}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._options = options

    def names(self):
        return sorted(self._digests)

    def store(self, name, model):
        nonce = os.urandom(NONCE)
        digest = hashlib.sha256(model).digest()
        with open(self._folder / f"{name}.sealed", "wb") as file:
            file.write(nonce)
            file.write(self._cipher.encrypt(nonce, model, name.encode() + digest))
        self._digests[name] = digest

    def session(self, name):
        """The model's session, from memory, else loaded."""
        found = self._sessions.get(name)
        if found is None and name in self._digests:
            found = self._sessions[name] = self._load(name)
        return found

    def unload(self, name):
        self._sessions.pop(name, None)

    def _load(self, name):
        with open(self._folder / f"{name}.sealed", "rb", buffering=0) as file:
            sealed = memoryview(file.readall())
        digest = self._digests[name]
        model = self._cipher.decrypt(bytes(sealed[:NONCE]), sealed[NONCE:], name.encode() + digest)
        del sealed
        if hashlib.sha256(model).digest() != digest:
            raise ValueError("the model is not the one that was stored")
        return onnxruntime.InferenceSession(model, self._options,
                                            providers=["CPUExecutionProvider"])


def read_array(body):
    """The array in a `.npy` file, over the file's own bytes."""
    stream = io.BytesIO(body)
    major, _ = numpy.lib.format.read_magic(stream)
    read = (numpy.lib.format.read_array_header_1_0 if major == 1
            else numpy.lib.format.read_array_header_2_0)
    shape, fortran, element = read(stream)
    if fortran or element.hasobject:
        raise ValueError("only C order, and no objects")
    return numpy.frombuffer(body, element, offset=stream.tell()).reshape(shape)


def written(arrays):
    """`.npy` files one after another: headers and arrays, copied once."""
    pieces = []
    for array in map(numpy.ascontiguousarray, arrays):
        head = io.BytesIO()
        numpy.lib.format.write_array_header_1_0(
            head, numpy.lib.format.header_data_from_array_1_0(array))
        pieces += [head.getvalue(), memoryview(array).cast("B")]
    return b"".join(pieces)


def fits(declared, array):
    """Rank, shape and element type, before anything is executed."""
    return (ELEMENTS.get(declared.type) == array.dtype and len(declared.shape) == array.ndim
            and all(not isinstance(wanted, int) or wanted == given
                    for wanted, given in zip(declared.shape, array.shape)))


def application(models):
    app = Flask(__name__)

    @app.get("/models")
    def list_models():
        return jsonify(models=models.names())

    @app.put("/models/<name>")
    def upload(name):
        models.store(name, request.get_data(cache=False))
        return jsonify(stored=name)

    @app.post("/models/<name>/unload")
    def unload(name):
        models.unload(name)
        return jsonify(unloaded=name)

    @app.post("/models/<name>/infer")
    def infer(name):
        session = models.session(name)
        if session is None:
            abort(404)
        declared = session.get_inputs()[0]
        try:
            array = read_array(request.get_data(cache=False))
        except ValueError:
            abort(400)
        if not fits(declared, array):
            abort(400)
        return Response(written(session.run(None, {declared.name: array})),
                        mimetype="application/x-npy")

    return app


def main():
    store, model, certificate, key = map(pathlib.Path, sys.argv[1:])
    models = Models(store)
    models.store("m", model.read_bytes())
    server = wsgi.Server(("127.0.0.1", 0), application(models), numthreads=4, timeout=3600)
    server.ssl_adapter = BuiltinSSLAdapter(str(certificate), str(key))
    server.prepare()
    print(server.bind_addr[1], flush=True)
    threading.Thread(target=server.serve, daemon=True).start()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
