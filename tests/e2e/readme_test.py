"""The commands that README.md shows are run as they stand there."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from e2e.case import PROGRAMS, ROOT
from support.server import Server


def shell_blocks(text):
    """Blocks fenced as `sh`, in order. One that begins with `# not run` is shown, not run."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if not block.startswith("# not run"):
            yield block


class Readme(unittest.TestCase):
    def test_its_commands_do_what_it_says(self):
        blocks = list(shell_blocks((ROOT / "README.md").read_text()))
        self.assertGreaterEqual(len(blocks), 2)
        with tempfile.TemporaryDirectory(prefix="cloister-e2e-") as folder:
            with Server(PROGRAMS, pathlib.Path(folder) / "server") as server:
                token = pathlib.Path(folder) / "token"
                token.touch(mode=0o600)
                token.write_text(server.token)
                environment = {
                    "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": folder, "LC_ALL": "C.UTF-8",
                    "URL": server.url, "PIN": server.pin, "TOKEN_FILE": str(token),
                    "DEMO": str(ROOT / "examples" / "demo")}
                done = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)], cwd=folder,
                    env=environment, capture_output=True, text=True, timeout=120)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
