"""Who is measured, each behind the same few calls: start, ask, start cold, stop."""

import contextlib
import io
import json
import math
import pathlib
import select
import subprocess
import sys
import time

import numpy
from machine import drop_from_cache, family, pinned, wait_until_idle

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from support.served import Server  # noqa: E402

BASELINES = ROOT / "bench" / "baselines"
CACHED_MOST = 0.01  # of a model's files, in the page cache after it was dropped
IDLE_MOST = 4.0  # seconds; a connection that nobody used for longer is made anew before it is timed
ANSWER_MOST = 180.0  # seconds; who is silent for longer is left out


class Line:
    """A process that answers a line with a line."""

    def __init__(self, command):
        self.process = subprocess.Popen([str(word) for word in command], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid

    def read(self):
        # A process says one line at a time, so none waits in this object's buffer.
        if not select.select([self.process.stdout], [], [], ANSWER_MOST)[0]:
            raise RuntimeError(f"{self.process.args} is silent for {ANSWER_MOST:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended with {self.process.wait()}")
        return line.strip()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.read()

    def stop(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Model:
    """A model of the suite: its files and what it takes and gives."""

    def __init__(self, folder, name):
        self.name = name
        self.path = folder / f"{name}.onnx"
        self.input_path = folder / f"{name}.input.npy"
        record = json.loads((folder / f"{name}.json").read_text())
        self.input = record["inputs"][0]
        self.outputs = record["outputs"]
        self.bytes = record["bytes"]
        self.parameters = record["parameters"]

    def output_bytes(self):
        return sum(4 * int(numpy.prod(output["shape"])) for output in self.outputs)


class Place:
    """Where a run happens: programs, folder for its files, cores, the one client."""

    def __init__(self, programs, folder, client_core, server_core):
        self.programs = programs
        self.folder = folder
        self.server_core = server_core
        self._connections = {}  # how each was made, and when it was used last
        self._client_command = pinned(client_core, [programs / "paper_bench", "client"])
        self._client = Line(self._client_command)
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-keyout", self.key, "-out", self.certificate], check=True,
                       capture_output=True)

    def on_server_core(self, command):
        return pinned(self.server_core, command)

    def connect(self, name, port, method, path, headers=(), body=b""):
        head = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *headers,
                f"content-length: {len(body)}"]
        file = self.folder / f"request-{name}".replace("/", "-")
        file.write_bytes("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        self.open(name, "server", name, port, file)

    def told(self, *words):
        """What the client says. It ends with whatever a server does wrong: then there is a new one,
        and every connection is made anew before its next use."""
        try:
            return self._client.ask(*words)
        except (RuntimeError, OSError) as problem:
            self._client.stop()
            self._client = Line(self._client_command)
            for connection in self._connections.values():
                connection[1] = -math.inf
            raise RuntimeError(f"the client gave up at '{' '.join(map(str, words))}'") from problem

    def open(self, name, *how):
        self.told(*how)
        self._connections[name] = [how, time.monotonic()]

    def ask(self, name):
        """Milliseconds of one exchange."""
        how, used = self._connections[name]
        if time.monotonic() - used > IDLE_MOST:
            self.told("close", name)
            self.told(*how)
        took = int(self.told("ask", name))
        self._connections[name][1] = time.monotonic()
        return took / 1e6

    def close(self, name):
        if self._connections.pop(name, None):
            with contextlib.suppress(RuntimeError):  # a client that ended has closed it
                self.told("close", name)

    def stop(self):
        self._client.stop()


def npy_arrays(body):
    """Arrays that were written one after another."""
    stream = io.BytesIO(body)
    arrays = []
    while stream.tell() < len(body):
        arrays.append(numpy.lib.format.read_array(stream, allow_pickle=False))
    return arrays


class Contestant:
    """`key` is short and stable, `label` what tables and plots call it."""

    key = label = ""
    starts_cold = True  # takes part in the starts from disk
    works_behind = False  # after an answer, for the next one

    def __init__(self, place, model):
        self.place, self.model = place, model
        self.pid = 0

    def connection(self, what):
        return f"{self.key}/{what}"

    def ask(self):
        """Milliseconds of one exchange."""
        return self.place.ask(self.connection("infer"))

    def answer(self):
        """The last answer's arrays."""
        file = self.place.folder / "answer"
        self.place.told("save", self.connection("infer"), file)
        return self.arrays(file.read_bytes())

    def arrays(self, body):
        return npy_arrays(body)

    def first(self):
        """Milliseconds of an exchange that loads the model."""
        return self.ask()

    def forget(self):
        """Takes the model out of memory."""
        self.place.ask(self.connection("unload"))

    def chill(self):
        """Leaves nothing of the model in memory and in the page cache."""
        self.forget()
        if self.works_behind:
            wait_until_idle(self.pid)
        left = drop_from_cache(self.files())
        if left > CACHED_MOST * self.model.bytes:
            raise RuntimeError(f"{self.key}: {left} bytes stay in the page cache")

    def files(self):
        return [self.model.path]

    def pids(self):
        return family(self.pid)

    def settle(self):
        """Runs until what a server does behind its first answers is done."""
        for _ in range(2):
            self.ask()
            wait_until_idle(self.pid)

    def stop(self):
        for what in ("infer", "unload"):
            self.place.close(self.connection(what))


class Direct(Contestant):
    """ONNX Runtime called from C++ in one process, with its defaults but for one thread."""

    key, label = "direct", "runtime called directly"

    def start(self):
        names = [output["name"] for output in self.model.outputs]
        self.line = Line(self.place.on_server_core(
            [self.place.programs / "paper_bench", "direct", self.model.input["name"],
             self.model.input_path, *names]))
        self.pid = self.line.pid

    def first(self):
        return int(self.line.ask("start", self.model.path)) / 1e6

    def ask(self):
        return int(self.line.ask("run")) / 1e6

    def forget(self):
        self.line.ask("stop")

    def answer(self):
        file = self.place.folder / "answer"
        self.line.ask("save", file)
        values = numpy.fromfile(file, dtype=numpy.float32)
        arrays = []
        for output in self.model.outputs:
            count = int(numpy.prod(output["shape"]))
            arrays.append(values[:count].reshape(output["shape"]))
            values = values[count:]
        return arrays

    def stop(self):
        self.line.stop()


class Bare:
    """Not a contestant: the same bytes both ways over TLS, and nothing behind them."""

    def __init__(self, place, model, answer_bytes):
        self.place = place
        self.line = Line(place.on_server_core(
            [place.programs / "paper_bench", "bare", model.input_path.stat().st_size,
             answer_bytes]))
        self.pid = self.line.pid
        place.open("bare", "floor", "bare", self.line.read(), model.input_path, answer_bytes)

    def ask(self):
        return self.place.ask("bare")

    def stop(self):
        self.place.close("bare")
        self.line.stop()


class Cloister(Contestant):
    isolation = ""
    works_behind = True
    counted = 0  # nanoseconds that runs had taken when they were last looked at

    def start(self):
        self.store = self.place.folder / self.key
        self.server = Server(self.place.programs, self.store, ["--isolation", self.isolation],
                             prefix=self.place.on_server_core([]))
        self.pid = self.server.process.pid
        with self.server.session() as http, open(self.model.path, "rb") as file:
            stored = http.put(f"{self.server.url}/v2/models/m/versions/1", data=file,
                              timeout=ANSWER_MOST)
            if stored.status_code != 201:
                raise RuntimeError(f"upload: {stored.status_code} {stored.text}")
        form = "npy" if len(self.model.outputs) == 1 else "npz"
        token = f"authorization: Bearer {self.server.token}"
        port = self.server.address[1]
        self.place.connect(
            self.connection("infer"), port, "POST", "/v2/models/m/infer",
            [token, "content-type: application/x-npy", f"accept: application/x-{form}"],
            self.model.input_path.read_bytes())
        self.place.connect(self.connection("unload"), port, "POST",
                           "/v2/repository/models/m/unload",
                           [token, "content-type: application/json"], b"{}")
        self.place.connect(self.connection("stats"), port, "GET", "/v2/models/m/stats", [token])

    def computed(self):
        """Nanoseconds that runs have taken since this was asked last, as the server counts them."""
        self.place.ask(self.connection("stats"))
        file = self.place.folder / "stats"
        self.place.told("save", self.connection("stats"), file)
        of = json.loads(file.read_text())["model_stats"][0]["inference_stats"]
        before, self.counted = self.counted, of["compute_infer"]["ns"]
        return self.counted - before

    def arrays(self, body):
        if len(self.model.outputs) == 1:
            return npy_arrays(body)
        with numpy.load(io.BytesIO(body), allow_pickle=False) as archive:
            return [archive[output["name"]] for output in self.model.outputs]

    def files(self):
        return [path for path in self.store.rglob("*") if path.is_file()]

    def stored_bytes(self):
        return sum(path.stat().st_size for path in self.files())

    def stop(self):
        self.place.close(self.connection("stats"))
        super().stop()
        self.server.stop()


class CloisterProcess(Cloister):
    key, label, isolation = "cloister-process", "Cloister (process)", "process"


class CloisterInline(Cloister):
    key, label, isolation = "cloister-inline", "Cloister (inline)", "inline"


class Started(Contestant):
    """A baseline of bench/baselines: prints its port, ends with its standard input."""

    def command(self):
        raise NotImplementedError

    def start(self):
        self.line = Line(self.place.on_server_core(self.command()))
        self.pid = self.line.pid
        self.connect(int(self.line.read()))

    def connect(self, port):
        self.place.connect(self.connection("infer"), port, "POST", "/models/m/infer",
                           ["content-type: application/x-npy"], self.model.input_path.read_bytes())
        self.place.connect(self.connection("unload"), port, "POST", "/models/m/unload")

    def stop(self):
        super().stop()
        self.line.stop()


class PaperDesign(Started):
    """The paper's server: Python, Flask, NumPy, ONNX Runtime, AES-GCM files."""

    key, label = "paper-design", "paper's design (Python)"
    python = ROOT / "build" / "bench-venv" / "bin" / "python3"

    def command(self):
        self.store = self.place.folder / self.key
        self.store.mkdir()
        return [self.python, BASELINES / "paper_design.py", self.store, self.model.path,
                self.place.certificate, self.place.key]

    def files(self):
        return [self.store / "m.sealed"]


class RustOrt(Started):
    """The crate `ort` over the same library of the runtime. In memory only: from disk it does what
    the runtime called directly does."""

    key, label, starts_cold = "rust-ort", "Rust, ort", False
    program = ROOT / "build" / "baselines" / "rust" / "release" / "rust-ort"
    library = ROOT / "build" / "onnxruntime" / "lib" / "libonnxruntime.so"

    def command(self):
        return ["env", f"ORT_DYLIB_PATH={self.library}", self.program, self.model.path,
                self.place.certificate, self.place.key]


class RustTract(Started):
    """tract, an engine in Rust alone. In memory only."""

    key, label, starts_cold = "rust-tract", "Rust, tract", False
    program = RustOrt.program.with_name("rust-tract")

    def command(self):
        return [self.program, self.model.path, self.place.certificate, self.place.key]


class KServe(Started):
    """An Open Inference Protocol server, ONNX Runtime for Python behind it. In memory only."""

    key, label, starts_cold = "kserve", "KServe (Python)", False
    python = ROOT / "build" / "kserve-venv" / "bin" / "python3"

    def command(self):
        return [self.python, BASELINES / "kserve_server.py", self.model.path,
                self.place.certificate, self.place.key]

    def connect(self, port):
        of = self.model.input
        array = numpy.load(self.model.input_path, allow_pickle=False)
        datatype = {"float32": "FP32", "int64": "INT64"}[of["dtype"]]
        head = json.dumps({
            "inputs": [{"name": of["name"], "shape": of["shape"], "datatype": datatype,
                        "parameters": {"binary_data_size": array.nbytes}}],
            "parameters": {"binary_data_output": True}}).encode()
        self.place.connect(self.connection("infer"), port, "POST", "/v2/models/m/infer",
                           ["content-type: application/octet-stream",
                            f"inference-header-content-length: {len(head)}"],
                           head + array.tobytes())

    def arrays(self, body):
        values = numpy.frombuffer(body[-self.model.output_bytes():], dtype=numpy.float32)
        ends = numpy.cumsum([numpy.prod(output["shape"]) for output in self.model.outputs])
        return numpy.split(values, ends[:-1])
