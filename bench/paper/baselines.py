"""The other contestants: makes what they need, and says which are left out and why."""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

from contestants import ROOT, KServe, PaperDesign, RustOrt, RustTract
from trusted_base import together, total, tree_bytes

PYTHON = PaperDesign.python
REQUIREMENTS = ROOT / "bench" / "baselines" / "requirements.txt"
KSERVE_REQUIREMENTS = REQUIREMENTS.with_name("kserve-requirements.txt")
# In the environments for the plots and for installing, not for serving.
NOT_SERVED = ("matplotlib", "mpl_toolkits", "fontTools", "PIL", "pillow.libs", "contourpy",
              "kiwisolver", "pyparsing", "dateutil", "tzdata", "cycler", "pip", "setuptools")
RUSTC, CARGO = "/usr/bin/rustc", "/usr/bin/cargo"  # Debian's, not one that happens to be in PATH


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
    if not python.is_file():
        return {}
    done = subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "list", "--format",
                           "json"], capture_output=True, text=True)
    return {each["name"]: each["version"] for each in json.loads(done.stdout or "[]")}


def versions():
    """Of what the contestants are made from."""
    found = packages(PYTHON) | {"kserve": packages(KServe.python).get("kserve", "none")}
    wanted = ("Flask", "cheroot", "cryptography", "numpy", "onnxruntime", "kserve")
    of = {name: found.get(name, "none") for name in wanted}
    lock = (REQUIREMENTS.parent / "rust" / "Cargo.lock").read_text().split("[[package]]")
    for package in lock:
        fields = dict(re.findall(r'^(name|version) = "(.*)"$', package, re.MULTILINE))
        if fields.get("name") in ("ort", "tract-onnx", "openssl"):
            of[f"crate {fields['name']}"] = fields["version"]
    return {"runtime": "1.27.0", "python": sys.version.split()[0], "packages": of}


def build_rust(kind, say):
    """One program, with Debian's compiler and the committed Cargo.lock, for this processor."""
    if not all(pathlib.Path(tool).is_file() for tool in (RUSTC, CARGO)):
        say("installing rustc-web and cargo-web")
        subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", "rustc-web",
                        "cargo-web"], capture_output=True)
    if not pathlib.Path(CARGO).is_file():
        raise Absent("needs the packages rustc-web and cargo-web")
    say(f"building {kind.key}")
    done = subprocess.run(
        [CARGO, "build", "--locked", "--release", "--bin", kind.key, "--features",
         kind.key.removeprefix("rust-"), "--target-dir", kind.program.parents[1],
         "--manifest-path", ROOT / "bench/baselines/rust/Cargo.toml"],
        env={**os.environ, "RUSTC": RUSTC, "RUSTFLAGS": "-C target-cpu=native"},
        capture_output=True, text=True)
    if done.returncode != 0:
        raise Absent(f"does not build: {done.stderr.strip()[-300:]}")


def image_bytes(key, processes):
    """What has to be shipped for a contestant to start: the files that it maps, and for Python its
    standard library and the whole of the packages. A library OS comes on top of every one."""
    files = together(processes)
    kind = {PaperDesign.key: PaperDesign, KServe.key: KServe}.get(key)
    if kind is None:
        return total(files)
    asked = subprocess.run(
        [kind.python, "-c", "import sysconfig; print(*map(sysconfig.get_path, "
         "('stdlib', 'purelib')), sep='\\n')"], capture_output=True, text=True, check=True)
    library, site = map(pathlib.Path, asked.stdout.split())
    elsewhere = {path: entry for path, entry in files.items()
                 if not pathlib.PurePath(path).is_relative_to(library)
                 and not pathlib.PurePath(path).is_relative_to(site)}
    skipped = [site / name for name in NOT_SERVED if (site / name).is_dir()]
    return (total(elsewhere) + tree_bytes(library) + tree_bytes(site)
            - sum(map(tree_bytes, skipped)))


def available(quick, say):
    """The contestants that can be had here, and the others with the reason."""
    environment(PYTHON.parents[1], REQUIREMENTS, say)  # the plots need it too
    kinds, absent = [PaperDesign], {}
    if quick:
        return kinds, {kind.label: "not part of --quick" for kind in (RustOrt, RustTract, KServe)}
    for kind in (RustOrt, RustTract):
        try:
            build_rust(kind, say)
            kinds.append(kind)
        except Absent as why:
            absent[kind.label] = str(why)
    try:
        environment(KServe.python.parents[1], KSERVE_REQUIREMENTS, say)
        kinds.append(KServe)
    except Absent as why:
        absent[KServe.label] = str(why)
    return kinds, absent
