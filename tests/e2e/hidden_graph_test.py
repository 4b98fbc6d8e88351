"""A model's inside stays its owner's: whom he lets infer learns its signature and nothing more."""

import unittest

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from e2e.case import ServerCase, npy

INSIDE = "inside_of_the_model"


def picking_model():
    """Picks from three secret numbers; an index past them fails in a node with its own name."""
    secret = numpy_helper.from_array(np.array([417.5, 2.25, 3.5], np.float32), INSIDE + "_numbers")
    graph = helper.make_graph(
        [helper.make_node("Gather", [INSIDE + "_numbers", "which"], ["picked"], INSIDE + "_node")],
        "picking", [helper.make_tensor_value_info("which", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("picked", TensorProto.FLOAT, ["n"])], [secret])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


class HiddenGraph(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = f"{cls.server.url}/v2/models/picking"
        assert cls.http.put(f"{model}/versions/1", data=picking_model()).status_code == 201
        made = cls.http.post(f"{cls.server.url}/v2/principals",
                             json={"name": "guest", "role": "caller"}).json()["principal"]
        minted = cls.http.post(f"{cls.server.url}/v2/principals/{made}/tokens").json()
        cls.guest = cls.server.session(minted["token"])
        cls.addClassCleanup(cls.guest.close)
        given = cls.http.put(f"{model}/grants", json={"principal": made, "rights": ["infer"]})
        assert given.status_code == 200, given.text

    def pick(self, session, model, *indices):
        return session.post(self.url(f"/v2/models/{model}/infer"),
                            data=npy(np.array(indices, np.int64)),
                            headers={"Content-Type": "application/x-npy"})

    def test_keeps_the_runtimes_words_from_everyone_but_the_owner(self):
        self.assertEqual(self.pick(self.guest, "owner.picking", 1).status_code, 200)
        refused = self.pick(self.guest, "owner.picking", 9)
        self.assert_error(refused, 400, "invalid", "does not bear")
        self.assertNotIn(INSIDE, refused.text)
        self.assertNotIn("Gather", refused.text)
        told = self.pick(self.http, "picking", 9)
        self.assert_error(told, 400, "invalid", "indices")


if __name__ == "__main__":
    unittest.main()
