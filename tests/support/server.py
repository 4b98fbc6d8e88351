"""Starts the real server for tests, the demo and the benchmarks, and stops it by process id."""

import base64
import hashlib
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import threading

import requests
from requests.adapters import HTTPAdapter


class PinnedAdapter(HTTPAdapter):
    """Trusts exactly the certificate that the server showed when it started, and nothing else."""

    def __init__(self, certificate_file):
        self._context = ssl.create_default_context(cafile=certificate_file)
        self._context.check_hostname = False
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        kwargs["ssl_context"] = self._context
        kwargs["assert_hostname"] = False
        return super().init_poolmanager(*args, **kwargs)


class Server:
    """`cloisterd` on a free port of 127.0.0.1, from start to stop.

    `url`, `pin` and `token` are as the server printed them; `token` is empty where a store that
    existed before has one already. With a watch, or with CLOISTER_CANARY=1, `stop` raises where any
    secret was seen in the clear.
    """

    def __init__(self, programs, folder, arguments=(), prefix=(), config=None, watch=None):
        self.programs = pathlib.Path(programs)
        self.folder = pathlib.Path(folder)
        self.store = self.folder
        if config:
            self.store = pathlib.Path(json.loads(pathlib.Path(config).read_text())["store"])
        self.url = self.token = self.metrics = ""
        self.watch = watch
        if os.environ.get("CLOISTER_CANARY") == "1" and not watch:
            from support.watch import Watch  # benchmarks have another package of that name
            self.watch = Watch()
        start = ["--config", str(config)] if config else ["--dev", str(folder)]
        self.process = subprocess.Popen(
            [*prefix, str(self.programs / "cloisterd"), *start, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors = []
        self._drain = threading.Thread(target=self._read_errors, daemon=True)
        self._drain.start()
        printed = {}
        for line in self.process.stdout:
            key, _, value = line.strip().partition(": ")
            printed[key] = value
            if key == "url":
                break
        else:
            self.stop()
            raise RuntimeError("cloisterd did not start: " + "".join(self.errors))
        self.url = printed["url"]
        self.pin = printed["pin"]
        self.metrics = printed.get("metrics", "")
        token = printed.get("token", "")
        self.token = token if token.startswith("clst_") else ""
        if self.watch:
            self.watch.trust(self.token)
        self.address = ("127.0.0.1", int(self.url.rsplit(":", 1)[1]))

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Stops the server and returns its exit code."""
        watch, self.watch = self.watch, None
        shown = ()
        if self.process.poll() is None:
            shown = watch.shown_by(self) if watch and self.url else ()
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self._drain.join()
        self.process.stdout.close()
        self.process.stderr.close()
        if watch:
            watch.judge(self, shown)
        return code

    def certificate(self):
        """The server's certificate (PEM), after checking its key against the printed pin."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(self.address) as plain:
            with context.wrap_socket(plain) as secure:
                der = secure.getpeercert(binary_form=True)
        pem = ssl.DER_cert_to_PEM_cert(der)
        key = subprocess.run(
            ["openssl", "x509", "-pubkey", "-noout"], input=pem, capture_output=True, text=True,
            check=True).stdout
        spki = base64.b64decode("".join(key.splitlines()[1:-1]))
        seen = "sha256//" + base64.b64encode(hashlib.sha256(spki).digest()).decode()
        if seen != self.pin:
            raise RuntimeError("the server's key is not the one that it printed")
        return pem

    def session(self, token=None):
        """A `requests` session that accepts this server only and sends its token."""
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(self.certificate())
            file.flush()
            session = requests.Session()
            adapter = PinnedAdapter(file.name)
        session.mount("https://", adapter)
        session.trust_env = False
        if self.watch:
            self.watch.attend(session, adapter)
        token = self.token if token is None else token
        if token:
            session.headers["Authorization"] = f"Bearer {token}"
        return session


def content_digest(data):
    """The value of Content-Digest (RFC 9530) for `data`."""
    return "sha-256=:" + base64.b64encode(hashlib.sha256(data).digest()).decode() + ":"
