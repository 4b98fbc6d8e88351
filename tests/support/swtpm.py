"""A TPM in software for tests, ended by its process id."""

import pathlib
import shutil
import socket
import struct
import subprocess
import time

PASSWORD_SESSION = bytes.fromhex("00000009" "40000009" "0000" "00" "0000")
PCR_EXTEND = 0x182
SHA256 = 0x000B


class SoftwareTpm:
    """One swtpm with a state folder of its own; `device` is how cloisterd's configuration names it.

    It serves one connection at a time.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self._socket = self.folder / "sock"
        self.device = f"swtpm:path={self._socket}"
        self.start()

    def start(self):
        """Starts it, also again after `stop`, on whatever state its folder holds then."""
        control = self.folder / "sock.ctrl"
        for left in (self._socket, control):
            left.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder}",
             "--server", f"type=unixio,path={self._socket}",
             "--ctrl", f"type=unixio,path={control}",
             "--flags", "not-need-init,startup-clear"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError("swtpm did not start")

    @staticmethod
    def is_installed():
        return shutil.which("swtpm") is not None

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self._socket))
            except OSError:
                return False
        return True

    def extend(self, pcr, digest):
        """TPM2_PCR_Extend with a SHA-256 digest: what happens when other software boots."""
        parameters = (struct.pack(">I", pcr) + PASSWORD_SESSION +
                      struct.pack(">IH", 1, SHA256) + digest)
        command = struct.pack(">HII", 0x8002, 10 + len(parameters), PCR_EXTEND) + parameters
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._socket))
            connection.sendall(command)
            answer = connection.recv(4096)
        if answer[6:10] != bytes(4):
            raise RuntimeError(f"the TPM answered {answer.hex()}")

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(timeout=20)
