"""A thousand hostile connections beside honest clients, whose p99 at most doubles.

Heads and bodies that come a byte at a time, chunks of one byte, lengths that lie, compressed bombs,
answers that nobody reads, handshakes that never end, silence: of another principal, to whom the
model is granted. --connections and --seconds choose others; --memory the bound in MiB on what the
server grows by.
"""

import argparse
import asyncio
import gzip
import pathlib
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

from e2e.case import PROGRAMS, identity_model
from onnx import TensorProto
from support.server import Server

PAUSE = 2.0
HONEST = 4


def context():
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


class Attack:
    """One kind of misuse each; all of them go on until they are cancelled."""

    def __init__(self, port, token, tls):
        self.port, self.tls = port, tls
        self.head = ("POST /v2/models/owner.m/infer HTTP/1.1\r\nhost: a\r\n"
                     f"authorization: Bearer {token}\r\n"
                     "content-type: application/json\r\n").encode()
        self.bomb = gzip.compress(bytes(64 << 20))
        self.kinds = (self.slow_head, self.slow_body, self.crumbs, self.lie, self.inflate,
                      self.deaf, self.mute, self.half_handshake)

    async def trickle(self, writer, data):
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(PAUSE)

    async def slow_head(self, _, writer):
        await self.trickle(writer, self.head * 100)

    async def slow_body(self, _, writer):
        writer.write(self.head + b"content-length: 5000\r\n\r\n")
        await self.trickle(writer, b"x" * 5000)

    async def crumbs(self, _, writer):
        writer.write(self.head + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(100_000):
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(PAUSE / 4)

    async def lie(self, reader, writer):
        writer.write(self.head + b"content-length: 60000\r\n\r\n" + b"x" * 100)
        await writer.drain()
        await reader.read()

    async def inflate(self, reader, writer):
        for _ in range(100_000):
            writer.write(self.head + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
                         % len(self.bomb) + self.bomb)
            await writer.drain()
            await reader.readuntil(b"}")
            await asyncio.sleep(20 * PAUSE)

    async def deaf(self, _, writer):
        writer.write(b"GET /v2/openapi.json HTTP/1.1\r\nhost: a\r\n\r\n" * 200)
        await asyncio.sleep(3600)

    async def mute(self, *_):
        await asyncio.sleep(3600)

    async def half_handshake(self, *_):
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"\x16\x03\x01\x02\x00\x01")
            await writer.drain()
            await asyncio.sleep(3600)
        finally:
            writer.close()

    async def run(self, number):
        kind = self.kinds[number % len(self.kinds)]
        while True:
            try:
                if kind == self.half_handshake:
                    await kind()
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port,
                                                               ssl=self.tls)
                try:
                    await kind(reader, writer)
                finally:
                    writer.close()
            except (OSError, EOFError, asyncio.LimitOverrunError):
                await asyncio.sleep(PAUSE * random.random())


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line) >> 10


class Honest:
    """Well-behaved clients in processes of their own, apart from the attack's."""

    def __init__(self, server, folder):
        self.command = [sys.executable, __file__, "--honest", server.url, server.token]
        self.folder = folder

    def p99(self, seconds):
        running = [subprocess.Popen([*self.command, str(seconds)], stdout=subprocess.PIPE,
                                    text=True) for _ in range(HONEST)]
        times = []
        for each in running:
            out, _ = each.communicate()
            if each.returncode:
                raise SystemExit("an honest client was not served")
            times += map(float, out.split())
        return statistics.quantiles(times, n=100)[98], len(times)


def ask_honestly(url, token, seconds):
    import requests
    import urllib3
    urllib3.disable_warnings()
    session = requests.Session()
    session.trust_env = False
    session.verify = False
    session.headers["Authorization"] = f"Bearer {token}"
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        answer = session.post(url + "/v2/models/m/infer", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        print(time.monotonic() - began)
        time.sleep(0.02)
    return 0


def attacker(server, session):
    """The token of a principal to whom the model is granted."""
    made = session.post(server.url + "/v2/principals", json={"name": "mallory", "role": "caller"})
    made.raise_for_status()
    principal = made.json()["principal"]
    session.put(server.url + "/v2/models/m/grants",
                json={"principal": principal, "rights": ["infer"]}).raise_for_status()
    minted = session.post(server.url + f"/v2/principals/{principal}/tokens")
    minted.raise_for_status()
    return minted.json()["token"]


async def attack(server, token, honest, arguments):
    made = Attack(server.address[1], token, context())
    tasks = [asyncio.create_task(made.run(i)) for i in range(arguments.connections)]
    await asyncio.sleep(30)  # all of them stand
    measured = await asyncio.get_running_loop().run_in_executor(
        None, honest.p99, arguments.seconds)
    peak = resident(server.process.pid)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return measured, peak


def main():
    if sys.argv[1:2] == ["--honest"]:
        return ask_honestly(sys.argv[2], sys.argv[3], float(sys.argv[4]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--memory", type=int, default=256)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cloister-hostile-") as name:
        folder = pathlib.Path(name)
        with Server(PROGRAMS, folder / "server") as server, server.session() as session:
            session.put(server.url + "/v2/models/m/versions/1",
                        data=identity_model(TensorProto.FLOAT, ("n", 4))).raise_for_status()
            token = attacker(server, session)
            honest = Honest(server, folder)
            honest.p99(5)
            before, count = honest.p99(arguments.seconds)
            idle = resident(server.process.pid)
            print(f"alone: p99 {before * 1e3:.1f} ms of {count}; {idle} MiB", flush=True)
            (during, count), peak = asyncio.run(attack(server, token, honest, arguments))
            print(f"beside {arguments.connections} hostile connections: p99 {during * 1e3:.1f} ms "
                  f"of {count}; {peak} MiB", flush=True)
            after, _ = honest.p99(10)
            print(f"afterwards: p99 {after * 1e3:.1f} ms; {resident(server.process.pid)} MiB")
    print(f"hostile_connections: p99 grows {during / before:.2f} times (goal 2), "
          f"memory by {peak - idle} MiB (goal {arguments.memory})")
    return 0 if during <= 2 * before and peak - idle <= arguments.memory else 1


if __name__ == "__main__":
    sys.exit(main())
