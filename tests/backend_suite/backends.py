"""Two ways to run a model through Cloister: admission alone, and the whole server over HTTP."""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from cases import session_of  # noqa: E402  # pylint: disable=wrong-import-position

NAMES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64", "float16": "FP16",
    "float32": "FP32", "float64": "FP64", "object": "BYTES", "bfloat16": "BF16",
}
_PATIENCE = 120  # seconds; the large ones compute for long on a busy machine
TYPES = {name: numpy.dtype(kind) for kind, name in NAMES.items()
         if kind not in ("object", "bfloat16")}


class Refused(Exception):
    """Admission refused the model; `rules` are the ids of its findings."""

    def __init__(self, findings):
        self.rules = sorted({finding["rule"] for finding in findings})
        super().__init__(", ".join(self.rules))


class Admission:
    """Admits with the test program and runs the canonical model in the runtime here."""

    def __init__(self, program):
        self._program = program
        self._session = None
        self._folder = tempfile.TemporaryDirectory()

    def load(self, path):
        folder = pathlib.Path(self._folder.name) / "model"
        for old in folder.glob("*"):
            old.unlink()
        done = subprocess.run([self._program, path, folder], capture_output=True, text=True,
                              timeout=_PATIENCE, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"admission ended with {done.returncode}: {done.stderr[-200:]}")
        report = json.loads(done.stdout.split("\n")[0])
        if not report["accepted"]:
            raise Refused(report["findings"])
        self._session = session_of(str(folder / "model.onnx"))
        return [output["name"] for output in report["outputs"]]

    def run(self, inputs):
        return self._session.run(None, inputs)

    def unload(self):
        self._session = None

    def close(self):
        """Nothing to stop."""

    def restart(self):
        """Nothing to start again."""


def to_bytes(array):
    """A tensor in the protocol's binary representation."""
    if array.dtype != object:
        return numpy.ascontiguousarray(array).tobytes()
    elements = (text if isinstance(text, bytes) else str(text).encode() for text in array.ravel())
    return b"".join(struct.pack("<I", len(text)) + text for text in elements)


def from_bytes(datatype, shape, data):
    """The array of a tensor in the protocol's binary representation."""
    if datatype != "BYTES":
        return numpy.frombuffer(data, dtype=TYPES[datatype]).reshape(shape)
    texts = []
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        texts.append(data[at + 4:at + 4 + length].decode())
        at += 4 + length
    return numpy.array(texts, dtype=object).reshape(shape)


class WholeServer:
    """Uploads to a running server and infers over HTTP, with binary tensors."""

    def __init__(self, programs):
        from support.server import Server, content_digest  # pylint: disable=import-outside-toplevel

        self._digest = content_digest
        self._folder = tempfile.TemporaryDirectory()
        self._start = lambda: Server(programs, tempfile.mkdtemp(dir=self._folder.name))
        self._server = self._start()
        self._http = self._server.session()
        self._count = 0
        self._outputs = []

    def restart(self):
        """Puts a new server in the place of one that does not answer any more."""
        self._http.close()
        self._server.process.kill()
        self._server.stop()
        self._server = self._start()
        self._http = self._server.session()

    @property
    def _model(self):
        return f"{self._server.url}/v2/models/case{self._count}"

    def load(self, path):
        self._count += 1
        data = pathlib.Path(path).read_bytes()
        answer = self._http.put(f"{self._model}/versions/1", data=data,
                                headers={"Content-Digest": self._digest(data)}, timeout=_PATIENCE)
        if answer.status_code == 422 and answer.json().get("findings"):
            raise Refused(answer.json()["findings"])
        if answer.status_code not in (200, 201):
            raise RuntimeError(f"{answer.status_code}: {answer.text[:200]}")
        about = self._http.get(self._model, timeout=_PATIENCE).json()
        self._outputs = [output["name"] for output in about["outputs"]]
        return self._outputs

    def run(self, inputs):
        blocks = []
        described = []
        for name, array in inputs.items():
            array = numpy.asarray(array)
            blocks.append(to_bytes(array))
            described.append({"name": name, "shape": list(array.shape),
                              "datatype": NAMES[array.dtype.name],
                              "parameters": {"binary_data_size": len(blocks[-1])}})
        text = json.dumps({"inputs": described,
                           "parameters": {"binary_data_output": True}}).encode()
        answer = self._http.post(
            f"{self._model}/infer", data=text + b"".join(blocks), timeout=_PATIENCE,
            headers={"Inference-Header-Content-Length": str(len(text)),
                     "Content-Type": "application/octet-stream"})
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code}: {answer.text[:200]}")
        length = int(answer.headers["Inference-Header-Content-Length"])
        results = {}
        at = length
        for output in json.loads(answer.content[:length])["outputs"]:
            size = output["parameters"]["binary_data_size"]
            data = answer.content[at:at + size]
            results[output["name"]] = from_bytes(output["datatype"], output["shape"], data)
            at += size
        return [results[name] for name in self._outputs]

    def unload(self):
        self._http.delete(f"{self._model}/versions/1", timeout=_PATIENCE)

    def close(self):
        """Stops the server."""
        self._http.close()
        self._server.stop()
