"""Two ways to run a model through Cloister: admission alone, and the whole server over HTTP."""

import json
import pathlib
import subprocess
import tempfile

from cases import session_of


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
                              timeout=60, check=False)
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
