"""Inference in every format, and what is refused before the runtime sees it."""

import concurrent.futures
import io
import json
import struct
import unittest
import zipfile

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from e2e.case import DEMO, ServerCase, demo_model, identity_model, npy, npz, small_model

NPY = {"Content-Type": "application/x-npy"}
NPZ = {"Content-Type": "application/x-npz"}
TYPES = {
    "BOOL": (TensorProto.BOOL, np.bool_), "UINT8": (TensorProto.UINT8, np.uint8),
    "UINT16": (TensorProto.UINT16, np.uint16), "UINT32": (TensorProto.UINT32, np.uint32),
    "UINT64": (TensorProto.UINT64, np.uint64), "INT8": (TensorProto.INT8, np.int8),
    "INT16": (TensorProto.INT16, np.int16), "INT32": (TensorProto.INT32, np.int32),
    "INT64": (TensorProto.INT64, np.int64), "FP16": (TensorProto.FLOAT16, np.float16),
    "FP32": (TensorProto.FLOAT, np.float32), "FP64": (TensorProto.DOUBLE, np.float64),
}


class Inference(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("cancer", "digits"):
            stored = cls.http.put(f"{cls.server.url}/v2/models/{name}/versions/1",
                                  data=demo_model(name))
            assert stored.status_code == 201, stored.text
        two = small_model(
            [helper.make_node("Add", ["a", "b"], ["sum"]),
             helper.make_node("Sub", ["a", "b"], ["difference"])],
            [("a", TensorProto.FLOAT, ["n"]), ("b", TensorProto.FLOAT, ["n"])],
            [("sum", TensorProto.FLOAT, ["n"]), ("difference", TensorProto.FLOAT, ["n"])])
        stored = cls.http.put(f"{cls.server.url}/v2/models/two/versions/1", data=two)
        assert stored.status_code == 201, stored.text
        cls.rows = np.load(DEMO / "cancer.inputs.npy")

    def infer(self, model, data, **headers):
        return self.http.post(self.url(f"/v2/models/{model}/infer"), data=data, headers=headers)

    def infer_json(self, model, **request):
        return self.http.post(self.url(f"/v2/models/{model}/infer"), json=request)

    # Refusals.

    def test_refuses_another_type_rank_and_shape_and_says_what_it_expected(self):
        for array, got in ((self.rows.astype(np.float64), "got float64 [143,30]"),
                           (self.rows[:, :29], "got float32 [143,29]"),
                           (self.rows[0], "got float32 [30]"),
                           (self.rows.reshape(-1, 30, 1), "got float32 [143,30,1]")):
            response = self.infer("cancer", npy(array), **NPY)
            self.assert_error(response, 400, "invalid", 'input "measurements": expected float32')
            self.assertIn(got, response.json()["error"])

    def test_refuses_missing_unknown_and_repeated_inputs(self):
        row = np.zeros(3, np.float32)
        self.assert_error(self.infer("two", npz(a=row), **NPZ), 400, "invalid", '"b"')
        self.assert_error(self.infer("two", npz(a=row, b=row, c=row), **NPZ), 400, "invalid", '"c"')
        # Two inputs cannot be told apart in one array.
        self.assert_error(self.infer("two", npy(row), **NPY), 400, "invalid")
        # One symbol has one value.
        self.assert_error(self.infer("two", npz(a=row, b=row[:2]), **NPZ), 400, "invalid", '"b"')
        tensor = {"name": "a", "datatype": "FP32", "shape": [1], "data": [1]}
        self.assert_error(self.infer_json("two", inputs=[tensor, tensor]), 400, "invalid")

    def test_refuses_an_unknown_output(self):
        row = np.zeros(1, np.float32)
        response = self.http.post(self.url("/v2/models/two/infer?output=product"),
                                  data=npz(a=row, b=row), headers=NPZ)
        self.assert_error(response, 400, "invalid", '"product"')

    def test_refuses_pickled_objects_without_unpickling(self):
        class Boom:
            def __reduce__(self):
                return (exec, ("raise SystemExit(1)",))
        array = np.array([Boom()], dtype=object)
        self.assert_error(self.infer("cancer", npy(array), **NPY), 415, "unsupported", "pickled")

    def test_refuses_npy_whose_header_lies(self):
        good = npy(self.rows)
        for name, data in {
                "cut": good[:-1], "longer": good + b"\0", "empty": b"", "magic": b"x" + good[1:],
                "huge": good.replace(b"(143, 30)", b"(99999999, 99999999)")}.items():
            with self.subTest(name):
                response = self.infer("cancer", data, **NPY)
                self.assertIn(response.status_code, (400, 413), response.text)

    def test_refuses_zip_bombs_and_repeated_members(self):
        bomb = io.BytesIO()
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("a.npy", bytes(200_000_000))
        response = self.infer("two", bomb.getvalue(), **NPZ)
        self.assertIn(response.status_code, (400, 413), response.text)
        twice = io.BytesIO()
        with zipfile.ZipFile(twice, "w") as file:
            file.writestr("a.npy", npy(np.zeros(1, np.float32)))
            file.writestr("b.npy", npy(np.zeros(1, np.float32)))
            file.writestr("c.npy", npy(np.zeros(1, np.float32)))
        data = twice.getvalue().replace(b"c.npy", b"a.npy")
        self.assert_error(self.infer("two", data, **NPZ), 400, "invalid")

    def test_refuses_json_that_is_not_exact(self):
        def tensor(data):
            return '{"inputs":[{"name":"a","datatype":"FP32","shape":[2],"data":%s},' \
                   '{"name":"b","datatype":"FP32","shape":[2],"data":[1,2]}]}' % data
        for data in ("[1e999,1]", "[NaN,1]", "[1]", "[1,2,3]", "[1,[2]]", '["1",2]', "[1,2",
                     "[" * 500, "[true,1]", "[1,2],\"data\":[3,4]"):
            with self.subTest(data[:20]):
                response = self.infer("two", tensor(data), **{"Content-Type": "application/json"})
                self.assertIn(response.status_code, (400, 413), response.text)
                self.assertIn("error", response.json())

    def test_refuses_a_lying_inference_header_length(self):
        body = b'{"inputs":[]}'
        for length in ("9999", "-1", "x", "18446744073709551616"):
            with self.subTest(length):
                response = self.infer("two", body, **{"Inference-Header-Content-Length": length,
                                                      "Content-Type": "application/octet-stream"})
                self.assert_error(response, 400, "invalid")

    def test_says_when_an_answer_does_not_fit_its_format(self):
        self.assertEqual(self.upload("nan", identity_model()).status_code, 201)
        nan = npy(np.float32([np.nan]))
        self.assert_error(self.infer("nan", nan, Accept="application/json", **NPY),
                          406, "unsupported", "binary")
        self.assertEqual(self.infer("nan", nan, **NPY).status_code, 200)
        self.assert_error(self.infer("nan", nan, Accept="text/html", **NPY), 406, "unsupported")

    def test_refuses_a_body_past_the_models_bound(self):
        fixed = identity_model(shape=(1, 30))
        self.assertEqual(self.upload("fixed", fixed).status_code, 201)
        response = self.infer("fixed", bytes(1 << 20), **NPY)
        self.assert_error(response, 413, "too_large", "at most")

    # Answers.

    def test_gives_the_runtimes_own_numbers_in_every_format(self):
        options = onnxruntime.SessionOptions()
        # As the server runs it: with more threads the trees are summed in another order.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(demo_model("cancer"), options)
        label, probabilities = session.run(None, {"measurements": self.rows})
        sent = self.infer("cancer", npy(self.rows), Accept="application/x-npz", **NPY)
        self.assertEqual(sent.status_code, 200, sent.text)
        with np.load(io.BytesIO(sent.content)) as file:
            np.testing.assert_array_equal(file["label"], label)
            np.testing.assert_array_equal(file["probabilities"], probabilities)
        one = self.http.post(self.url("/v2/models/cancer/infer?output=probabilities"),
                             data=npy(self.rows), headers=NPY)
        np.testing.assert_array_equal(np.load(io.BytesIO(one.content)), probabilities)
        answer = self.infer_json("cancer", id="7", inputs=[
            {"name": "measurements", "datatype": "FP32", "shape": list(self.rows.shape),
             "data": self.rows.tolist()}]).json()
        self.assertEqual((answer["id"], answer["model_name"]), ("7", "cancer"))
        outputs = {o["name"]: o for o in answer["outputs"]}
        self.assertEqual(outputs["label"]["data"], label.tolist())
        np.testing.assert_array_equal(
            np.float32(outputs["probabilities"]["data"]), probabilities.reshape(-1))

    def test_carries_every_type_by_json_and_by_binary(self):
        for name, (onnx_type, numpy_type) in TYPES.items():
            with self.subTest(name):
                model = f"type-{name.lower()}"
                self.assertEqual(self.upload(model, identity_model(onnx_type)).status_code, 201)
                values = np.array([0, 1, 1, 0, 1], numpy_type)
                described = {"name": "x", "datatype": name, "shape": [5]}
                answer = self.infer_json(model, inputs=[{**described, "data": values.tolist()}])
                self.assertEqual(answer.status_code, 200, answer.text)
                self.assertEqual(answer.json()["outputs"][0]["datatype"], name)
                np.testing.assert_array_equal(
                    np.array(answer.json()["outputs"][0]["data"], numpy_type), values)
                head = json.dumps({"inputs": [{
                    **described, "parameters": {"binary_data_size": values.nbytes}}],
                    "outputs": [{"name": "y", "parameters": {"binary_data": True}}]}).encode()
                answer = self.infer(model, head + values.tobytes(), **{
                    "Content-Type": "application/octet-stream",
                    "Inference-Header-Content-Length": str(len(head))})
                self.assertEqual(answer.status_code, 200, answer.text)
                at = int(answer.headers["Inference-Header-Content-Length"])
                self.assertEqual(answer.content[at:], values.tobytes())
                answer = self.infer(model, npy(values), **NPY)
                np.testing.assert_array_equal(np.load(io.BytesIO(answer.content)), values)

    def test_carries_byte_strings(self):
        self.assertEqual(
            self.upload("text", identity_model(TensorProto.STRING)).status_code, 201)
        answer = self.infer_json("text", inputs=[
            {"name": "x", "datatype": "BYTES", "shape": [2], "data": ["hello", "wörld"]}])
        self.assertEqual(answer.json()["outputs"][0]["data"], ["hello", "wörld"])
        data = b"".join(struct.pack("<I", len(s)) + s for s in (b"\xff\0x", b""))
        head = json.dumps({"inputs": [{"name": "x", "datatype": "BYTES", "shape": [2],
                                       "parameters": {"binary_data_size": len(data)}}],
                           "parameters": {"binary_data_output": True}}).encode()
        answer = self.infer("text", head + data, **{
            "Inference-Header-Content-Length": str(len(head))})
        self.assertEqual(answer.status_code, 200, answer.text)
        self.assertTrue(answer.content.endswith(data))

    def test_reads_fortran_order_and_big_endian_as_what_they_are(self):
        rows = self.rows[:5]
        plain = self.infer("cancer", npy(rows), **NPY).content
        self.assertEqual(self.infer("cancer", npy(np.asfortranarray(rows)), **NPY).content, plain)
        swapped = self.infer("cancer", npy(rows.astype(">f4")), **NPY)
        self.assertTrue(swapped.status_code == 400 or swapped.content == plain)

    def test_takes_empty_batches_and_scalars(self):
        answer = self.infer("two", npz(a=np.zeros(0, np.float32), b=np.zeros(0, np.float32)), **NPZ)
        self.assertEqual(answer.status_code, 200, answer.text)
        self.assertEqual(self.upload("scalar", identity_model(shape=())).status_code, 201)
        answer = self.infer("scalar", npy(np.float32(4.5)), **NPY)
        self.assertEqual(np.load(io.BytesIO(answer.content)), np.float32(4.5))

    def test_answers_many_clients_at_once_each_with_its_own_result(self):
        def ask(number):
            with self.server.session() as http:
                for step in range(20):
                    value = np.float32([number * 1000 + step])
                    answer = http.post(self.url("/v2/models/two/infer?output=sum"),
                                       data=npz(a=value, b=value),
                                       headers={**NPZ, "Accept": "application/x-npy"})
                    if np.load(io.BytesIO(answer.content))[0] != 2 * value[0]:
                        return False
            return True
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            self.assertTrue(all(pool.map(ask, range(16))))


if __name__ == "__main__":
    unittest.main()
