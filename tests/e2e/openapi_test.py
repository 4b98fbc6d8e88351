"""The OpenAPI description: every operation is run as it says, and answers as it says."""

import json
import re
import unittest

from e2e.case import ROOT, ServerCase, identity_model
from onnx import TensorProto


class OpenApi(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.document = cls.http.get(f"{cls.server.url}/v2/openapi.json").json()
        cls.stranger = cls.server.session(token="")
        cls.addClassCleanup(cls.stranger.close)

    def resolved(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for part in node["$ref"][2:].split("/"):
                target = target[part]
            node = target
        return node

    def assert_fits(self, value, schema, where):
        """Holds `value` against the few words of JSON Schema that the description uses."""
        schema = self.resolved(schema)
        kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
        if "type" in schema:
            self.assertIsInstance(value, kinds[schema["type"]], where)
        if "const" in schema:
            self.assertEqual(value, schema["const"], where)
        if "enum" in schema:
            self.assertIn(value, schema["enum"], where)
        if "pattern" in schema:
            self.assertRegex(value, schema["pattern"], where)
        for name in schema.get("required", ()):
            self.assertIn(name, value, where)
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                self.assert_fits(value[name], inner, f"{where}.{name}")
        if isinstance(schema.get("additionalProperties"), dict):
            for name, each in value.items():
                self.assert_fits(each, schema["additionalProperties"], f"{where}.{name}")
        if "items" in schema:
            for place, each in enumerate(value):
                self.assert_fits(each, schema["items"], f"{where}[{place}]")

    def assert_described(self, operation, answer):
        where = f"{operation['operationId']}: {answer.status_code} {answer.text[:200]}"
        responses = operation["responses"]
        self.assertIn(str(answer.status_code), responses, where)
        content = self.resolved(responses[str(answer.status_code)]).get("content", {})
        media = answer.headers.get("Content-Type", "").split(";")[0]
        self.assertIn(media, content, where)
        if media == "application/json":
            self.assert_fits(answer.json(), content[media]["schema"], where)

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if method != "parameters":
                    yield path, method, operation, item.get("parameters", [])

    def run_example(self, session, path, method, operation, shared):
        query, headers = {}, {}
        for parameter in map(self.resolved, [*shared, *operation.get("parameters", [])]):
            example = parameter.get("example")
            own = operation["operationId"] in ("remove_principal", "set_quota", "set_certificate",
                                               "drop_certificate")
            if own and session is self.http:
                example = self.created_principal()
            if parameter["in"] == "path":
                path = path.replace("{" + parameter["name"] + "}", str(example))
            elif parameter["in"] == "query" and example is not None:
                query[parameter["name"]] = example
        body = None
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            headers["Content-Type"] = media
            if operation["operationId"] == "upload":
                body = identity_model(TensorProto.FLOAT, ("n", 4))
            elif "example" in content:
                body = json.dumps(content["example"])
            break
        return session.request(method, self.url(path), params=query, headers=headers, data=body)

    def created_principal(self):
        made = self.http.post(self.url("/v2/principals"), json={"name": "x", "role": "caller"})
        return made.json()["principal"]

    def test_refuses_strangers_wherever_it_says_so(self):
        for path, method, operation, shared in self.operations():
            answer = self.run_example(self.stranger, path, method, operation, shared)
            public = operation.get("security") == []
            with self.subTest(operation["operationId"]):
                self.assertEqual(answer.status_code != 401, public, answer.text)
                self.assert_described(operation, answer)

    def test_every_example_runs_and_answers_as_described(self):
        later = ("erase", "drop_authority", "revoke_tokens")  # what the others need goes last
        operations = sorted(self.operations(), key=lambda each: (
            each[2]["operationId"] in later, each[2]["operationId"] != "upload"))
        for path, method, operation, shared in operations:
            with self.subTest(operation["operationId"]):
                answer = self.run_example(self.http, path, method, operation, shared)
                self.assertLess(answer.status_code, 300, answer.text)
                self.assert_described(operation, answer)

    def test_the_documents_name_every_route(self):
        text = (ROOT / "docs" / "wire-api.md").read_text()
        routes = (ROOT / "src" / "api" / "routes.cc").read_text()
        self.assertEqual(len(re.findall(r"Pattern\{HttpMethod", routes)),
                         sum(1 for _ in self.operations()))
        self.assertIn("/v2/openapi.json", text)


if __name__ == "__main__":
    unittest.main()
