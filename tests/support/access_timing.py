"""Requests for models and principals that are others', and for such as are not there."""

import io

import numpy as np

from support.paired_times import Wire

NAMES = 4


def request(method, path, token, body=b"", content_type="application/json"):
    head = (f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
            f"content-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n")
    return head.encode() + body


class Neighbours:
    """On a server with nothing on it: one owner's models, and a principal who may know none."""

    def __init__(self, server, model):
        self._server = server
        with server.session() as owner:
            for number in range(NAMES):
                name = f"secret{number}"
                stored = owner.put(f"{server.url}/v2/models/{name}/versions/1", data=model)
                assert stored.status_code == 201, stored.text
                # Every second one with a policy of its own, another path in what serves it.
                policy = '{"version_policy": {"latest": {"num_versions": 1}}}'
                parameters = {"parameters": {"config": policy}} if number % 2 else {}
                loaded = owner.post(f"{server.url}/v2/repository/models/{name}/load",
                                    json=parameters)
                assert loaded.status_code == 200, loaded.text
            self._hidden = self._principal(owner, "hidden", "caller")
            self.people = {role: self._token(owner, self._principal(owner, "asker", role))
                           for role in ("caller", "owner", "operator")}

    def _principal(self, session, name, role):
        made = session.post(self._server.url + "/v2/principals", json={"name": name, "role": role})
        assert made.status_code == 201, made.text
        return made.json()["principal"]

    def _token(self, session, principal):
        minted = session.post(f"{self._server.url}/v2/principals/{principal}/tokens")
        assert minted.status_code == 201, minted.text
        return minted.json()["token"]

    def connect(self):
        return Wire(self._server.address, self._server.certificate())

    def routes(self, token):
        """Route to (requests for what is another's, the same for what is not there)."""
        array = io.BytesIO()
        np.save(array, np.ones(3, np.float32))
        npy = (array.getvalue(), "application/x-npy")
        grant = (b'{"principal": "x", "rights": ["infer"]}', "application/json")
        model = {
            "GET /v2/models/{}": (), "GET /v2/models/{}/versions/1": (),
            "GET /v2/models/{}/config": (), "GET /v2/models/{}/ready": (),
            "GET /v2/models/{}/stats": (), "POST /v2/models/{}/infer": npy,
            "POST /v2/models/{}/versions/1/infer": npy,
            "POST /v2/repository/models/{}/load": (), "POST /v2/repository/models/{}/unload": (),
            "DELETE /v2/models/{}/versions/1": (), "GET /v2/models/{}/grants": (),
            "PUT /v2/models/{}/grants": grant,
        }
        pairs = {}
        for route, body in model.items():
            method, path = route.split(" ")
            pairs[route] = [
                [request(method, path.format(f"owner.{kind}{number}"), token, *body)
                 for number in range(NAMES)] for kind in ("secret", "nobody")]
        absent = self._hidden[:-8] + "a" * 8
        for route in ("POST /v2/principals/{}/tokens", "DELETE /v2/principals/{}"):
            method, path = route.split(" ")
            pairs[route] = [[request(method, path.format(each), token)]
                            for each in (self._hidden, absent)]
        return pairs
