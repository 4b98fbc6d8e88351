"""Uploading, listing, describing and erasing models."""

import hashlib
import tempfile
import unittest

import numpy as np
from onnx import TensorProto, helper

from e2e.case import PROGRAMS, ServerCase, demo_model, identity_model, npy, small_model
from support.server import Server, content_digest


def small_gather_chain(length):
    """Every node doubles the rank of the value before it."""
    nodes = [helper.make_node("Gather", [f"v{i}", f"v{i}"], [f"v{i + 1}"]) for i in range(length)]
    graph = helper.make_graph(
        nodes, "chain", [helper.make_tensor_value_info("v0", TensorProto.INT64, [1, 1])],
        [helper.make_tensor_value_info(f"v{length}", TensorProto.INT64, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


class Models(ServerCase):
    def test_refuses_a_wrong_digest_and_stores_nothing(self):
        data = demo_model("cancer")
        response = self.upload("digest", data, **{"Content-Digest": content_digest(data + b"x")})
        self.assert_error(response, 400, "invalid", "SHA-256")
        self.assert_error(self.http.get(self.url("/v2/models/digest")), 404, "not_found")
        for value in ("sha-256=:AAAA:", "sha-256=AAAA", "SHA-256=:AAAA:", "nonsense"):
            response = self.upload("digest", data, **{"Content-Digest": value})
            self.assert_error(response, 400, "invalid", "Content-Digest")

    def test_refuses_what_is_no_onnx_file(self):
        for name, data in {
                "pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00",
                "zip": b"PK\x03\x04" * 10, "text": b"hello, model",
                "cut": demo_model("digits")[:5000], "zeros": bytes(100)}.items():
            with self.subTest(name):
                response = self.upload("bad", data)
                self.assert_error(response, 422, "refused")
                finding = response.json()["findings"][0]
                self.assertEqual(set(finding), {"rule", "where", "remedy"})
        self.assert_error(self.http.get(self.url("/v2/models/bad")), 404, "not_found")

    def test_refuses_an_empty_body_a_bad_version_and_a_bad_name(self):
        self.assert_error(self.upload("empty", b""), 400, "invalid", "empty")
        data = identity_model()
        for version in ("0", "01", "-1", "x", "2147483649"):
            with self.subTest(version):
                self.assertEqual(self.upload("v", data, version).status_code, 404)
        self.assert_error(self.upload("a%20b", data), 404, "not_found")
        self.assert_error(self.upload("n" * 65, data), 404, "not_found")

    def test_refuses_other_bytes_for_a_version_and_an_erased_number(self):
        first = identity_model(shape=("n",))
        second = identity_model(shape=("m", 2))
        self.assertEqual(self.upload("same", first).status_code, 201)
        self.assertEqual(self.upload("same", first).status_code, 200)
        self.assert_error(self.upload("same", second), 409, "conflict", "never change")
        erased = self.http.delete(self.url("/v2/models/same/versions/1"))
        self.assertEqual(erased.json()["erasure"], "not-anchored")
        self.assert_error(self.upload("same", first), 409, "conflict", "erased")
        self.assert_error(self.http.delete(self.url("/v2/models/same/versions/1")),
                          404, "not_found")
        self.assertEqual(self.upload("same", second, 2).status_code, 201)

    def test_refuses_another_body_type_and_encoding(self):
        data = identity_model()
        response = self.upload("type", data, **{"Content-Type": "application/zip"})
        self.assert_error(response, 415, "unsupported", "octet-stream")
        response = self.upload("type", data, **{"Content-Encoding": "gzip"})
        self.assert_error(response, 415, "unsupported", "Content-Encoding")

    def test_survives_models_made_to_exhaust_admission(self):
        gather = small_gather_chain(40)
        sparse = b"\x08\x08\x3a\x80\x08" + b"\x7a\x00" * 512  # empty sparse initializers
        vast = small_model([helper.make_node("Identity", ["x"], ["y"])],
                           [("x", TensorProto.FLOAT, [1 << 40])],
                           [("y", TensorProto.FLOAT, [1 << 40])])
        for name, data in {"gather": gather, "sparse": sparse, "vast": vast}.items():
            with self.subTest(name):
                self.assertIn(self.upload("bomb", data).status_code, (201, 400, 409, 413, 422))
        self.assertEqual(self.upload("vast", vast).status_code, 422)

    def test_stores_models_with_long_names_and_symbols(self):
        symbol = identity_model(shape=("n" * 600, 3))
        self.assertEqual(self.upload("symbol", symbol).status_code, 201)
        weight = small_model(
            [helper.make_node("Add", ["x", "w" * 600], ["y"])],
            [("x", TensorProto.FLOAT, [300])], [("y", TensorProto.FLOAT, [300])],
            [helper.make_tensor("w" * 600, TensorProto.FLOAT, [300], [1.0] * 300)])
        self.assertEqual(self.upload("weight", weight).status_code, 201)

    def test_refuses_a_model_that_the_runtime_refuses(self):
        graph = helper.make_graph(
            [helper.make_node("Add", ["x", "z"], ["y"])], "mixed",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"]),
             helper.make_tensor_value_info("z", TensorProto.INT64, ["n"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        response = self.upload("mixed", model.SerializeToString())
        self.assert_error(response, 422, "refused")

    def test_takes_a_chunked_upload(self):
        data = demo_model("digits")
        pieces = (data[at:at + 7001] for at in range(0, len(data), 7001))
        response = self.http.put(self.url("/v2/models/chunked/versions/3"), data=pieces)
        self.assertEqual(response.status_code, 201, response.text)
        self.assertEqual(response.json()["size"], len(data))

    def test_describes_names_types_shapes_digest_and_size(self):
        data = demo_model("cancer")
        self.assertEqual(self.upload("described", data, 7).status_code, 201)
        for path in ("/v2/models/described", "/v2/models/described/versions/7"):
            described = self.http.get(self.url(path)).json()
            self.assertEqual(described["name"], "described")
            self.assertEqual(described["versions"], ["7"])
            self.assertEqual(described["inputs"], [
                {"name": "measurements", "datatype": "FP32", "shape": [-1, 30]}])
            self.assertEqual([o["datatype"] for o in described["outputs"]], ["INT64", "FP32"])
            self.assertEqual(described["parameters"]["size"], len(data))
            self.assertEqual(described["parameters"]["sha256"], hashlib.sha256(data).hexdigest())

    def test_lists_versions_and_serves_the_newest(self):
        one = small_model([helper.make_node("Neg", ["x"], ["y"])],
                          [("x", TensorProto.FLOAT, ["n"])], [("y", TensorProto.FLOAT, ["n"])])
        two = small_model([helper.make_node("Sub", ["two", "x"], ["y"])],
                          [("x", TensorProto.FLOAT, ["n"])], [("y", TensorProto.FLOAT, ["n"])],
                          [helper.make_tensor("two", TensorProto.FLOAT, [], [2.0])])
        self.assertEqual(self.upload("two", one, 9).status_code, 201)
        self.assertEqual(self.upload("two", two, 10).status_code, 201)
        listed = [(m["name"], m["version"]) for m in self.http.get(self.url("/v2/models")).json()]
        self.assertIn(("two", "9"), listed)
        self.assertIn(("two", "10"), listed)
        headers = {"Content-Type": "application/x-npy"}
        body = npy(np.float32([-3]))
        newest = self.http.post(self.url("/v2/models/two/infer"), data=body, headers=headers)
        older = self.http.post(self.url("/v2/models/two/versions/9/infer"), data=body,
                               headers=headers)
        self.assertEqual(np.frombuffer(newest.content[-4:], np.float32)[0], 5)
        self.assertEqual(np.frombuffer(older.content[-4:], np.float32)[0], 3)
        self.assertNotEqual(newest.headers["Cloister-Model"], older.headers["Cloister-Model"])

    def test_loads_and_unloads_on_request(self):
        self.assertEqual(self.upload("resident", identity_model()).status_code, 201)

        def state():
            index = self.http.post(self.url("/v2/repository/index")).json()
            return next(m["state"] for m in index if m["name"] == "resident")
        self.assertEqual(state(), "UNAVAILABLE")
        load = self.url("/v2/repository/models/resident/load")
        self.assertEqual(self.http.post(load).status_code, 200)
        self.assertEqual(state(), "READY")
        unload = self.url("/v2/repository/models/resident/unload")
        self.assertEqual(self.http.post(unload).status_code, 200)
        self.assertEqual(self.http.post(unload).status_code, 200)
        self.assertEqual(state(), "UNAVAILABLE")
        self.assert_error(self.http.post(self.url("/v2/repository/models/none/load")),
                          404, "not_found")


class Restart(unittest.TestCase):
    def test_serves_the_same_models_after_a_restart(self):
        with tempfile.TemporaryDirectory(prefix="cloister-e2e-") as folder:
            with Server(PROGRAMS, folder) as server:
                token = server.token
                data = demo_model("digits")
                with server.session() as http:
                    stored = http.put(server.url + "/v2/models/digits/versions/1", data=data)
                    self.assertEqual(stored.status_code, 201)
            with Server(PROGRAMS, folder) as server:
                self.assertEqual(server.token, "")
                with server.session(token) as http:
                    listed = http.get(server.url + "/v2/models").json()
                    self.assertEqual([m["sha256"] for m in listed], [stored.json()["sha256"]])
                    image = np.zeros((1, 1, 8, 8), np.float32)
                    answer = http.post(server.url + "/v2/models/digits/infer", data=npy(image),
                                       headers={"Content-Type": "application/x-npy"})
                    self.assertEqual(answer.status_code, 200, answer.text)

    def test_a_second_server_on_the_store_refuses_to_start(self):
        with tempfile.TemporaryDirectory(prefix="cloister-e2e-") as folder:
            with Server(PROGRAMS, folder):
                with self.assertRaisesRegex(RuntimeError, "conflict"):
                    Server(PROGRAMS, folder)


if __name__ == "__main__":
    unittest.main()
