"""Starts `cloister proxy` for tests and stops it by process id; forwards connections."""

import os
import pathlib
import signal
import socket
import subprocess
import threading


class LocalProxy:
    """`cloister proxy` in front of `server_url`. `url` is as it printed it."""

    def __init__(self, programs, server_url, *arguments, token="", listen="127.0.0.1:0"):
        self.process = subprocess.Popen(
            [str(pathlib.Path(programs) / "cloister"), "proxy", "--server", server_url,
             "--listen", listen, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "CLOISTER_TOKEN": token})
        self.output = []
        self._ended = None
        for line in self.process.stdout:
            self.output.append(line)
            if line.startswith("url: "):
                self.url = line[5:].strip()
                return
        code, said = self.stop()
        raise RuntimeError(f"cloister proxy ended with {code}: {said}")

    @property
    def address(self):
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        return host, int(port)

    def stop(self):
        """Stops it; returns its exit code and what it said on standard error."""
        if self._ended:
            return self._ended
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        said = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        self._ended = code, said
        return self._ended

    def memory_peak(self):
        """The most memory that it held up to now, in bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


class Forwarder:
    """Carries connections on a port of its own to `target`, which may change; `cut` breaks all."""

    def __init__(self, target):
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        self._threads = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            self._open += [client, server]
            for pair in ((client, server), (server, client)):
                thread = threading.Thread(target=self._carry, args=pair, daemon=True)
                self._threads.append(thread)
                thread.start()

    @staticmethod
    def _carry(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @property
    def connections(self):
        """How many it has carried up to now."""
        return len(self._open) // 2

    def cut(self):
        for each in self._open:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.cut()
        for thread in self._threads:
            thread.join()
        for each in self._open:
            each.close()
