"""`cloister check`, the findings of a refused model, and models with data files beside them."""

import json
import os
import subprocess
import unittest

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from e2e.case import DEMO, PROGRAMS, ServerCase, demo_model

CLOISTER = str(PROGRAMS / "cloister")
DONE, REFUSED, USAGE = 0, 1, 2


def faulty_model():
    """Four faults at once: an operator, a value and an output that are not there, an attribute."""
    graph = helper.make_graph(
        [helper.make_node("NoSuchThing", ["x"], ["a"]),
         helper.make_node("Relu", ["nowhere"], ["b"]),
         helper.make_node("Flatten", ["x"], ["c"], depth=3)], "faulty",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 4])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


FAULTS = {"operator-unknown", "name-undefined", "attribute-unknown"}


def layered_model():
    """Three layers with weights of different sizes, one of them in a Constant node."""
    random = np.random.default_rng(1)
    first = random.standard_normal((16, 32), dtype=np.float32)
    second = random.standard_normal((32, 8), dtype=np.float32)
    bias = random.standard_normal(8, dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "first"], ["a"]),
         helper.make_node("Relu", ["a"], ["b"]),
         helper.make_node("Constant", [], ["second"], value=numpy_helper.from_array(second)),
         helper.make_node("MatMul", ["b", "second"], ["c"]),
         helper.make_node("Add", ["c", "bias"], ["y"])], "layered",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8])],
        [numpy_helper.from_array(first, "first"), numpy_helper.from_array(bias, "bias")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


class Check(ServerCase):
    def run_cli(self, code, *arguments):
        environment = {**os.environ, "CLOISTER_TOKEN": self.server.token}
        done = subprocess.run([CLOISTER, *map(str, arguments)], capture_output=True, text=True,
                              env=environment, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def upload_file(self, code, name, path, *more):
        return self.run_cli(code, "upload", name, "1", path, "--server", self.server.url,
                            "--allow-simulation", *more)

    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def external(self, folder, location="model.onnx.data", one_file=True):
        """Saves layered_model() with all its values in files beside it."""
        target = self.folder / folder
        target.mkdir()
        onnx.save_model(layered_model(), str(target / "model.onnx"), save_as_external_data=True,
                        all_tensors_to_one_file=one_file, location=location, size_threshold=0,
                        convert_attribute=True)
        return target / "model.onnx"

    def test_refuses_a_file_that_is_not_there(self):
        self.assertIn("no such file", self.run_cli(USAGE, "check", self.folder / "none").stderr)
        self.run_cli(USAGE, "check", self.folder)
        self.run_cli(USAGE, "check")

    def test_lists_every_finding_everywhere(self):
        data = faulty_model()
        path = self.file("faulty.onnx", data)
        here = json.loads(self.run_cli(REFUSED, "check", path, "--json").stdout)
        self.assertFalse(here["accepted"])
        self.assertEqual({each["rule"] for each in here["findings"]}, FAULTS)
        self.assertEqual(len(here["findings"]), 4)
        text = self.run_cli(REFUSED, "check", path).stdout
        answer = self.upload("faulty", data)
        self.assert_error(answer, 422, "refused")
        self.assertEqual(answer.json()["findings"], here["findings"])
        uploaded = self.upload_file(REFUSED, "faulty", path).stderr
        for finding in here["findings"]:
            for part in (finding["rule"], finding["where"], finding["remedy"]):
                self.assertIn(part, text)
                self.assertIn(part, uploaded)
        programs = self.upload_file(REFUSED, "faulty", path, "--json").stdout
        self.assertEqual(json.loads(programs)["findings"], here["findings"])

    def test_shows_no_control_characters_of_a_model(self):
        model = onnx.load_from_string(demo_model("cancer"))
        model.graph.input[0].name = "\x1b[2Jgone"
        path = self.file("terminal.onnx", model.SerializeToString())
        self.assertNotIn("\x1b", self.run_cli(REFUSED, "check", path).stdout)

    def test_describes_what_it_accepts(self):
        path = DEMO / "digits.onnx"
        told = json.loads(self.run_cli(DONE, "check", path, "--json").stdout)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.assertTrue(told["accepted"])
        self.assertEqual([each["name"] for each in told["inputs"]],
                         [each.name for each in session.get_inputs()])
        self.assertEqual([each["name"] for each in told["outputs"]],
                         [each.name for each in session.get_outputs()])
        model = onnx.load(str(path))
        self.assertEqual(told["parameters"],
                         sum(int(np.prod(each.dims)) for each in model.graph.initializer))
        self.assertEqual(sum(told["operators"].values()), told["nodes"])
        self.assertGreater(told["multiply_adds"], 0)
        text = self.run_cli(DONE, "check", path).stdout
        for part in ("accepted", "input ", "output ", "parameters", "multiply-adds", "operators"):
            self.assertIn(part, text)

    def test_refuses_data_files_that_are_not_beside_the_model(self):
        for folder, location in {"up": "../secret", "deep": "a/b", "root": "/etc/passwd"}.items():
            with self.subTest(folder):
                path = self.external(folder)
                model = onnx.load(str(path), load_external_data=False)
                for entry in model.graph.initializer[0].external_data:
                    if entry.key == "location":
                        entry.value = location
                path.write_bytes(model.SerializeToString())
                for command in (("check", path), ("upload", "x", "1", path, "--server",
                                                  self.server.url, "--allow-simulation")):
                    self.assertIn("only files beside the model",
                                  self.run_cli(USAGE, *command).stderr)

    def test_refuses_links_and_missing_data_files(self):
        path = self.external("link")
        data = path.with_name("model.onnx.data")
        data.rename(self.folder / "elsewhere")
        self.assertIn("cannot be opened", self.upload_file(USAGE, "x", path).stderr)
        data.symlink_to(self.folder / "elsewhere")
        self.assertIn("link", self.upload_file(USAGE, "x", path).stderr)

    def test_says_when_a_data_file_is_cut(self):
        path = self.external("cut")
        data = path.with_name("model.onnx.data")
        data.write_bytes(data.read_bytes()[:-1])
        self.assertIn("its values would end", self.upload_file(USAGE, "x", path).stderr)

    def test_folds_data_files_into_the_model(self):
        rows = np.random.default_rng(2).standard_normal((5, 16), dtype=np.float32)
        np.save(self.folder / "rows.npy", rows)
        for folder, one_file in {"one": True, "many": False}.items():
            with self.subTest(folder):
                path = self.external(folder, one_file=one_file)
                self.assertIn("folded in 3 tensors", self.run_cli(DONE, "check", path).stdout)
                self.upload_file(DONE, folder, path)
                target = self.folder / f"{folder}.npy"
                self.run_cli(DONE, "infer", folder, "--input", self.folder / "rows.npy",
                             "--output", target, "--server", self.server.url,
                             "--allow-simulation")
                session = onnxruntime.InferenceSession(
                    str(path), providers=["CPUExecutionProvider"])
                np.testing.assert_array_equal(np.load(target), session.run(None, {"x": rows})[0])


if __name__ == "__main__":
    unittest.main()
