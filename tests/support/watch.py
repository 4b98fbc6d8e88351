"""Watches the server of any test for secrets that leave it in the clear.

What the test's sessions send says what is secret: tokens, and of models and requests those pieces
of their numbers that are anywhere else only by a leak. When the server stops, all that others can
see of it is searched: what it shows while it runs, what it leaves, and its errors to others.
"""

import base64
import collections
import io
import json
import pathlib
import re
import urllib.parse
import urllib.request

import numpy as np
import onnx
import requests
from onnx import numpy_helper

from support.canaries import PIECE, Search, files_below, of_process
from support.processes import family_of

REQUESTS = 64   # of which the numbers are looked for
ARRAYS = 16     # of one request
PIECES = 4      # of one array
VARIED = 12     # different bytes in a piece that nothing holds by chance
TOKEN = re.compile("clst_[A-Za-z0-9_-]{43}")
SHARED = pathlib.Path("/dev/shm")
EXPORTS = ("/v2/audit", "/v2/audit/server", "/v2/usage")


def arrays_in(request):
    """What numbers a request to store or to run a model carries; nothing where it is malformed."""
    path = urllib.parse.urlsplit(request.url).path
    body, head = request.body, request.headers
    try:
        if request.method == "PUT" and "/versions/" in path:
            graph = onnx.load_from_string(body).graph
            return [numpy_helper.to_array(each) for each in graph.initializer]
        if not path.endswith("/infer"):
            return []
        if "Inference-Header-Content-Length" in head:
            return [np.frombuffer(body[int(head["Inference-Header-Content-Length"]):], np.uint8)]
        if body.startswith(b"{"):
            return [np.array(each["data"], np.float32) for each in json.loads(body)["inputs"]]
        loaded = np.load(io.BytesIO(body))
        return [loaded] if isinstance(loaded, np.ndarray) else list(loaded.values())
    except Exception:  # many tests send what no library reads
        return []


def telling_pieces(array):
    data = array.tobytes()
    step = max(PIECE, len(data) // 256 // PIECE * PIECE)
    pieces = [data[at:at + PIECE] for at in range(0, len(data) - PIECE + 1, step)]
    varied = [each for each in pieces if len(set(each)) >= VARIED]
    return b"".join(varied[::max(1, len(varied) // PIECES)][:PIECES])


class Watch:
    """What one server was trusted with, by whom, and where of that anything was seen."""

    def __init__(self):
        self._search = Search()
        self._names = {}                                # of each secret
        self._senders = collections.defaultdict(set)    # who may be told of it
        self._bodies = set()
        self._errors = set()                            # (who was answered, what)
        self._people = {}                               # how each proves who he is, to a number
        self._adapter = None
        self._shared = set(SHARED.iterdir()) if SHARED.exists() else set()

    def attend(self, session, adapter):
        """From now on hears what this session sends and is answered."""
        self._adapter = adapter
        session.hooks["response"].append(self.hear)

    def trust(self, token):
        if TOKEN.fullmatch(token) and len(set(token)) > VARIED:
            self._add("token", token.encode())
            self._add("token", base64.urlsafe_b64decode(token[5:] + "="))

    def _add(self, kind, secret, element=1):
        if secret not in self._names:
            self._names[secret] = f"{kind} {len(self._names)}"
            self._search.add(self._names[secret], secret, element)

    def hear(self, answer, **sent):
        request = answer.request
        authorization = request.headers.get("Authorization", "")
        who = (authorization, sent.get("cert"))
        self._people.setdefault(who, len(self._people))
        self.trust(authorization.removeprefix("Bearer "))
        if isinstance(request.body, bytes) and len(self._bodies) < REQUESTS:
            self._learn(who, request)
        if sent.get("stream"):
            return
        if answer.status_code == 201 and request.url.endswith("/tokens"):
            self.trust(answer.json()["token"])
        if answer.status_code >= 400:
            self._errors.add((who, answer.content))

    def _learn(self, who, request):
        body = hash((who, request.method, request.body))
        if body in self._bodies:
            return
        self._bodies.add(body)
        for array in arrays_in(request)[:ARRAYS]:
            secret = telling_pieces(array)
            if secret:
                self._add("numbers", secret, array.itemsize if array.dtype.kind == "f" else 1)
                self._senders[self._names[secret]].add(who)

    def shown_by(self, server):
        """What a running server shows, its exports to those who may have them among it."""
        places = []
        try:
            if server.metrics:
                with urllib.request.urlopen(server.metrics, timeout=10) as answer:
                    places.append(("metrics", answer.read()))
            for pid in family_of(server.process.pid):
                places += of_process(pid)
        except OSError:
            pass  # it is just ending, or of another user
        for authorization, certificate in list(self._people)[:2]:
            with requests.Session() as session:
                session.trust_env = False
                session.mount("https://", self._adapter)
                session.headers["Authorization"] = authorization or None
                session.cert = certificate
                try:
                    for path in EXPORTS:
                        answer = session.get(server.url + path, timeout=10)
                        places.append((f"{path} for {self._people[authorization, certificate]}",
                                       answer.content))
                except requests.RequestException:
                    break  # a test may leave a server that answers nobody
        return places

    def _left_by(self, server):
        yield "log", "".join(server.errors).encode()
        for path, content in files_below(server.store):
            yield f"store/{path}", content
        for path in pathlib.Path.cwd().glob("core*"):
            yield str(path), path.read_bytes()
        for path in (set(SHARED.iterdir()) if SHARED.exists() else set()) - self._shared:
            try:
                yield str(path), path.read_bytes()
            except OSError:
                pass  # another program's, or gone

    def judge(self, server, shown=()):
        """Raises where anything was seen that must not be."""
        errors = [(f"an error to {self._people[who]}", who, content)
                  for who, content in self._errors]
        own = {(secret, place) for place, who, _ in errors
               for secret, senders in self._senders.items() if who in senders}
        places = [*shown, *self._left_by(server),
                  *((place, content) for place, _, content in errors)]
        found = self._search.finds(places, own)
        if found:
            raise AssertionError(f"in the clear: {found}")
