"""Who gets an answer at all, and what strangers can learn: nothing."""

import unittest

from e2e.case import ServerCase, identity_model

PUBLIC = ("/v2", "/v2/health/live", "/v2/health/ready")


class Access(ServerCase):
    def setUp(self):
        self.stranger = self.server.session(token="")
        self.addCleanup(self.stranger.close)

    def test_answers_a_stranger_on_the_public_routes_only(self):
        for path in PUBLIC:
            self.assertEqual(self.stranger.get(self.url(path)).status_code, 200)
            self.assertEqual(self.stranger.head(self.url(path)).status_code, 200)
        for method, path in (("GET", "/v2/models"), ("GET", "/v2/models/x"), ("GET", "/nothing"),
                             ("PUT", "/v2/models/x/versions/1"), ("POST", "/v2/models/x/infer"),
                             ("DELETE", "/v2/models/x/versions/1"), ("POST", "/v2/models"),
                             ("POST", "/v2/repository/index"), ("GET", "/"),
                             ("POST", "/v2/principals/owner/tokens")):
            with self.subTest(f"{method} {path}"):
                response = self.stranger.request(method, self.url(path), data=b"x")
                self.assert_error(response, 401, "unauthenticated")
                self.assertEqual(response.headers["WWW-Authenticate"], "Bearer")

    def test_refuses_every_other_credential(self):
        token = self.server.token
        for value in ("Bearer", "Bearer ", f"Basic {token}", f"bearer{token}", f"Bearer {token}x",
                      f"Bearer {token[:-1]}", "Bearer clst_" + "A" * 43, f"Bearer {token.lower()}"):
            with self.subTest(value[:12]):
                response = self.stranger.get(self.url("/v2/models"),
                                             headers={"Authorization": value})
                self.assert_error(response, 401, "unauthenticated")

    def test_answers_a_wrong_method_with_the_right_ones(self):
        response = self.http.post(self.url("/v2/models"))
        self.assertEqual(response.status_code, 405)
        self.assertEqual(response.headers["Allow"], "GET, HEAD")
        response = self.http.post(self.url("/v2/models/m/versions/1"))
        self.assertEqual(response.status_code, 405)
        self.assertEqual(response.headers["Allow"], "GET, HEAD, PUT, DELETE")

    def test_mints_tokens_for_oneself_only_and_revokes_them(self):
        minted = self.http.post(self.url("/v2/principals/owner/tokens"), json={"expires_in": 60})
        self.assertEqual(minted.status_code, 201, minted.text)
        token = minted.json()["token"]
        with self.server.session(token) as second:
            self.assertEqual(second.get(self.url("/v2/models")).status_code, 200)
        self.assert_error(self.http.post(self.url("/v2/principals/root/tokens")), 404, "not_found")
        for body in ({"expires_in": 0}, {"expires_in": -1}, {"expires_in": 10**12}, {"x": 1}, []):
            with self.subTest(str(body)):
                response = self.http.post(self.url("/v2/principals/owner/tokens"), json=body)
                self.assert_error(response, 400, "invalid")

    def test_keeps_tokens_and_names_out_of_its_files_and_its_log(self):
        self.assertEqual(self.upload("canary-model-name", identity_model()).status_code, 201)
        secrets = [self.server.token.encode(), self.server.token[5:].encode(), b"canary-model-name"]
        for path in self.server.folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                for secret in secrets:
                    self.assertNotIn(secret, data, path)
        log = "".join(self.server.errors).encode()
        for secret in secrets:
            self.assertNotIn(secret, log)


if __name__ == "__main__":
    unittest.main()
