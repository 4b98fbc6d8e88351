"""The other contestants: makes what they need, and says which are left out and why."""

import hashlib
import json
import pathlib
import subprocess
import sys

from contestants import ROOT, PaperDesign

BUILD = ROOT / "build" / "baselines"
PYTHON = PaperDesign.python
REQUIREMENTS = ROOT / "bench" / "baselines" / "requirements.txt"


class Absent(RuntimeError):
    """Why a contestant is left out."""


def environment(folder, requirements, say):
    """A Python environment of its own with exactly these packages; made once."""
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    stamp = folder / "made-from"
    if stamp.is_file() and stamp.read_text() == key:
        return
    say(f"making {folder.relative_to(ROOT)}")
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", folder], check=True)
    done = subprocess.run(
        [folder / "bin/python3", "-m", "pip", "install", "--disable-pip-version-check", "-q",
         "--only-binary", ":all:", "--require-hashes", "-r", requirements],
        capture_output=True, text=True)
    if done.returncode != 0:
        raise Absent(f"its packages cannot be installed: {done.stderr.strip()[-300:]}")
    stamp.write_text(key)


def packages(python):
    done = subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "list", "--format",
                           "json"], capture_output=True, text=True)
    return {each["name"]: each["version"] for each in json.loads(done.stdout or "[]")}


def versions():
    """Of what the contestants are made from."""
    wanted = ("Flask", "cheroot", "cryptography", "numpy", "onnxruntime")
    found = packages(PYTHON)
    return {"runtime": "1.27.0", "python": sys.version.split()[0],
            "packages": {name: found.get(name, "none") for name in wanted}}


def available(quick, say):
    """The contestants that can be had here, and the others with the reason."""
    environment(PYTHON.parents[1], REQUIREMENTS, say)  # the plots need it too
    return [PaperDesign], {}
