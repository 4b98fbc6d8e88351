"""Kills a server under load again and again, and holds its usage ledger against what was answered.

What was answered is what a client read to its last byte. The ledger may never say more than that,
for any principal; and what it does not say must be younger than the bound in docs/access.md.
"""

import collections
import http.client
import json
import os
import random
import ssl
import subprocess
import threading
import time

import numpy as np

from e2e.case import identity_model, npy
from support.server import Server, content_digest

BOUND_SECONDS = 4.0
SLACK_SECONDS = 1.5  # to which comes twice what this machine was seen to be late
LATENESS_EVERY = 0.1
BODY = npy(np.arange(16, dtype=np.float32))
HEADERS = {"Content-Type": "application/x-npy"}


class Lateness(threading.Thread):
    """How late this machine is, at the worst: from when a durable writing was due to its end."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.worst = 0.0
        self._file = path.open("wb", buffering=0)
        self._stopping = threading.Event()

    def run(self):
        due = time.monotonic() + LATENESS_EVERY
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            self._file.write(bytes(4096))
            os.fsync(self._file.fileno())
            self.worst = max(self.worst, time.monotonic() - due)
            due = time.monotonic() + LATENESS_EVERY

    def stop(self):
        self._stopping.set()
        self.join()
        self._file.close()


class Client(threading.Thread):
    """One principal on one connection: one request after the other until the server is gone."""

    def __init__(self, server, context, principal, token):
        super().__init__(daemon=True)
        self.principal = principal
        self.answered = []  # (when, bytes of the answer)
        self.wrong = []
        self._headers = {"Authorization": f"Bearer {token}", **HEADERS}
        self._connection = http.client.HTTPSConnection(*server.address, context=context, timeout=30)

    def run(self):
        try:
            while True:
                self._connection.request("POST", "/v2/models/owner.echo/infer", BODY, self._headers)
                response = self._connection.getresponse()
                size = len(response.read())
                if response.status == 200:
                    self.answered.append((time.monotonic(), size))
                elif response.status != 429:
                    self.wrong.append(f"{self.principal}: status {response.status}")
        except (OSError, http.client.HTTPException):
            self._connection.close()


class KilledServer:
    """A store, its principals, and what they saw answered since the ledger was looked at last."""

    def __init__(self, programs, folder, principals=3):
        self.programs, self.folder = programs, folder / "store"
        self.killed_at = 0.0
        self.answers = {}  # principal -> [(when, bytes)] of the last cycle
        self.counted = {}  # principal -> requests by the ledger before the last cycle
        self.total = 0     # answered, of all cycles
        self.longest_loss = 0.0  # seconds before a kill from which an answer was lost
        self.wrong = []
        self.lateness = Lateness(folder / "lateness")
        self.lateness.start()
        with Server(programs, self.folder) as server:
            self.owner_token = server.token
            with server.session() as session:
                model = identity_model()
                stored = session.put(server.url + "/v2/models/echo/versions/1", data=model,
                                     headers={"Content-Digest": content_digest(model)})
                assert stored.status_code == 201, stored.text
                self.tokens = dict(self._principal(server, session) for _ in range(principals))
        self.answers = {principal: [] for principal in self.tokens}
        self.counted = dict.fromkeys(self.tokens, 0)

    @staticmethod
    def _principal(server, session):
        made = session.post(server.url + "/v2/principals", json={"name": "c", "role": "caller"})
        principal = made.json()["principal"]
        granted = session.put(server.url + "/v2/models/echo/grants",
                              json={"principal": principal, "rights": ["infer"]})
        assert granted.status_code == 200, granted.text
        minted = session.post(server.url + f"/v2/principals/{principal}/tokens")
        return principal, minted.json()["token"]

    def cycle(self, seconds, kill=True):
        """Starts, holds the ledger against the cycle before, serves for so long, is killed.

        Where it is not killed it has answered something, and is stopped.
        """
        server = Server(self.programs, self.folder)
        context = ssl.create_default_context(cadata=server.certificate())
        context.check_hostname = False
        self.check(server, context)
        clients = [Client(server, context, *each) for each in self.tokens.items()]
        for client in clients:
            client.start()
        clients[0].join(seconds)  # it ends only when the server does
        while not kill and not clients[0].answered and clients[0].is_alive():
            clients[0].join(LATENESS_EVERY)
        if kill:
            server.process.kill()
        else:
            server.stop()
        self.killed_at = time.monotonic()
        for client in clients:
            client.join()
            self.answers[client.principal] = client.answered
            self.total += len(client.answered)
            self.wrong += client.wrong
        if kill:
            server.stop()

    def kill_while_starting(self, seconds):
        """A start that is cut off: nothing of the ledger may change by it."""
        process = subprocess.Popen([str(self.programs / "cloisterd"), "--dev", str(self.folder)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(seconds)
            self.wrong.append(f"the server ended by itself with {process.returncode}")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def check_at_rest(self):
        """The ledger after the last cycle; the requests that it counts in all."""
        with Server(self.programs, self.folder) as server:
            context = ssl.create_default_context(cadata=server.certificate())
            context.check_hostname = False
            self.check(server, context)
        self.lateness.stop()
        return sum(self.counted.values())

    def check(self, server, context):
        connection = http.client.HTTPSConnection(*server.address, context=context, timeout=30)
        connection.request("GET", "/v2/usage",
                           headers={"Authorization": f"Bearer {self.owner_token}"})
        usage = json.loads(connection.getresponse().read())
        connection.close()
        counted = {principal: collections.Counter() for principal in self.tokens}
        for row in usage["of_my_models"]:
            for column in ("requests", "bytes_in", "bytes_out"):
                counted[row["principal"]][column] += row[column]
        for principal, sums in counted.items():
            self._check_one(principal, sums)
        self.answers = {principal: [] for principal in self.tokens}

    def _check_one(self, principal, sums):
        answers, requests = self.answers[principal], sums["requests"]
        more = requests - self.counted[principal]
        self.counted[principal] = requests
        if not 0 <= more <= len(answers):
            self.wrong.append(f"{principal}: {more} counted, {len(answers)} answered")
        sizes = {size for _, size in answers} or {sums["bytes_out"] // max(requests, 1)}
        if sums["bytes_in"] != requests * len(BODY) or sums["bytes_out"] != requests * max(sizes):
            self.wrong.append(f"{principal}: the bytes do not belong to {requests} requests")
        if 0 <= more < len(answers):
            # Counted in the order in which they were answered: the first that is missing.
            lost = self.killed_at - answers[more][0]
            self.longest_loss = max(self.longest_loss, lost)
            if lost > BOUND_SECONDS + SLACK_SECONDS + 2 * self.lateness.worst:
                self.wrong.append(f"{principal}: an answer of {lost:.1f} s before the kill is lost")


def kill_in_a_loop(programs, folder, cycles, seed, seconds_max):
    """The store after so many cycles, or after the first that went wrong; and what it counts.

    After the kills comes a cycle that ends as it should.
    """
    chance = random.Random(seed)
    store = KilledServer(programs, folder)
    for _ in range(cycles):
        store.cycle(chance.uniform(0.2, seconds_max))
        if chance.random() < 0.25:
            store.kill_while_starting(chance.uniform(0.0, 0.5))
        if store.wrong:
            break
    store.cycle(chance.uniform(0.2, seconds_max), kill=False)
    return store, store.check_at_rest()
