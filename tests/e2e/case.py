"""What every end-to-end test shares: one server for each class, on real models."""

import io
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper

from support.server import Server, content_digest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DEMO = ROOT / "examples" / "demo"
PROGRAMS = pathlib.Path(os.environ.get("CLOISTER_PROGRAMS", ROOT / "build" / "dev" / "bin"))


class ServerCase(unittest.TestCase):
    """Starts one server before the first test of a class and checks at the end that it is well."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.server = Server(PROGRAMS, cls.folder / "server", cls.arguments)
        cls.addClassCleanup(cls._stop)
        cls.http = cls.server.session()
        cls.addClassCleanup(cls.http.close)

    @classmethod
    def _stop(cls):
        code = cls.server.stop()
        if code != 0:
            raise AssertionError(f"the server ended with {code}: {''.join(cls.server.errors)}")

    def url(self, path):
        return self.server.url + path

    def upload(self, name, data, version=1, **headers):
        return self.http.put(
            self.url(f"/v2/models/{name}/versions/{version}"), data=data,
            headers={"Content-Digest": content_digest(data), **headers})

    def assert_error(self, response, status, code, text=""):
        self.assertEqual(response.status_code, status, response.text)
        body = response.json()
        self.assertEqual(body["code"], code)
        self.assertIn(text, body["error"])


class EchoCase(ServerCase):
    """A server with the model `echo`, and the command line client."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = identity_model()
        response = cls.http.put(cls.server.url + "/v2/models/echo/versions/1", data=cls.model)
        assert response.status_code == 201, response.text

    def infer(self, body=None, **headers):
        return self.http.post(
            self.url("/v2/models/echo/infer"), data=body or npy(np.ones(3, np.float32)),
            headers={"Content-Type": "application/x-npy", **headers})

    def run_cli(self, *arguments):
        return subprocess.run([str(PROGRAMS / "cloister"), *arguments, "--allow-simulation"],
                              capture_output=True, text=True, timeout=60,
                              env={"CLOISTER_TOKEN": self.server.token})

    def ask(self, *arguments):
        return self.run_cli(*arguments, "--server", self.server.url)


def demo_model(name):
    return (DEMO / f"{name}.onnx").read_bytes()


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def npz(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def small_model(nodes, inputs, outputs, initializers=(), opset=17):
    """A model of a few nodes; inputs and outputs are (name, element type, shape)."""
    graph = helper.make_graph(
        nodes, "test",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


def identity_model(element_type=TensorProto.FLOAT, shape=("n",)):
    return small_model([helper.make_node("Identity", ["x"], ["y"])],
                       [("x", element_type, shape)], [("y", element_type, shape)])
