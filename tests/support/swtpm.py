"""A TPM in software for tests, ended by its process id."""

import pathlib
import shutil
import socket
import struct
import subprocess
import time

PASSWORD_SESSION = bytes.fromhex("00000009" "40000009" "0000" "00" "0000")
OWNER = 0x40000001
EVICT_CONTROL, NV_DEFINE, CREATE_PRIMARY, NV_WRITE = 0x120, 0x12A, 0x131, 0x137
FLUSH_CONTEXT, PCR_EXTEND = 0x165, 0x182
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

    def command(self, code, handles, parameters, authorized=True):
        """Sends one command, authorised with empty passwords, and returns what follows its head."""
        session = PASSWORD_SESSION if authorized else b""
        body = b"".join(struct.pack(">I", each) for each in handles) + session + parameters
        tag = 0x8002 if authorized else 0x8001
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._socket))
            connection.sendall(struct.pack(">HII", tag, 10 + len(body), code) + body)
            answer = connection.recv(8192)
        if answer[6:10] != bytes(4):
            raise RuntimeError(f"the TPM answered {answer.hex()}")
        return answer[10:]

    def extend(self, pcr, digest):
        """What happens to a PCR when other software boots. `digest` is SHA-256's."""
        self.command(PCR_EXTEND, [pcr], struct.pack(">IH", 1, SHA256) + digest)

    def make_attestation_key(self, place):
        """A restricted RSA key at a persistent handle; returns its modulus."""
        area = (struct.pack(">HHIHHHHHIH", 0x0001, SHA256, 0x00050072, 0, 0x0010, 0x0014, SHA256,
                            2048, 0, 0))
        made = self.command(CREATE_PRIMARY, [OWNER],
                            bytes.fromhex("000400000000") + struct.pack(">H", len(area)) + area +
                            bytes(2) + bytes(4))
        handle, _, size = struct.unpack(">IIH", made[:10])
        self.command(EVICT_CONTROL, [OWNER, handle], struct.pack(">I", place))
        self.command(FLUSH_CONTEXT, [], struct.pack(">I", handle), authorized=False)
        return made[10:10 + size][-256:]

    def write_memory(self, index, content):
        """Defines an NV index that the owner may read, with this content."""
        attributes = 1 << 1 | 1 << 17 | 1 << 25  # the owner writes and reads; no lock-out
        area = struct.pack(">IHIHH", index, SHA256, attributes, 0, len(content))
        self.command(NV_DEFINE, [OWNER], bytes(2) + struct.pack(">H", len(area)) + area)
        for at in range(0, len(content), 512):
            piece = content[at:at + 512]
            self.command(NV_WRITE, [OWNER, index],
                         struct.pack(">H", len(piece)) + piece + struct.pack(">H", at))

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(timeout=20)
