"""ONNX's backend test suite in three releases, every case through a whole server over HTTP.

The release that the pinned runtime was built with (installed for the tests), the one that Debian
packages (libonnx-testdata) and the newest one, whose cases its own package makes. What the runtime
called directly loads and passes must be accepted and give the same; all else is listed by name.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITE = ROOT / "tests" / "backend_suite"
RELEASES = ["installed", "debian", "newest"]
DEBIAN = "libonnx-testdata"


def debian_cases(folder):
    """The cases of the Debian package, which is not installed for it."""
    subprocess.run(["apt-get", "download", "-q", DEBIAN], cwd=folder, check=True)
    (package,) = folder.glob("*.deb")
    subprocess.run(["dpkg", "-x", package, folder / "debian"], check=True)
    return folder / "debian" / "usr" / "share" / DEBIAN / "data"


def newest_cases(folder):
    """The cases of the newest release, made in an environment of its own."""
    place = folder / "newest"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = place / "bin" / "python3"
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                    "--only-binary", ":all:", "--require-hashes", "-r", SUITE / "newest.txt"],
                   check=True)
    subprocess.run([python, SUITE / "make_cases.py", folder / "newest-cases"], check=True)
    return folder / "newest-cases"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", default=str(ROOT / "build" / "dev" / "bin"))
    parser.add_argument("--release", action="append", choices=RELEASES)
    arguments = parser.parse_args()
    releases = arguments.release or RELEASES
    failed = []
    with tempfile.TemporaryDirectory(prefix="cloister-backend-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        for release in releases:
            print(f"== {release}", flush=True)
            data = []
            if release != "installed":
                cases = debian_cases(folder) if release == "debian" else newest_cases(folder)
                data = ["--data", str(cases)]
            done = subprocess.run([sys.executable, str(SUITE / "run.py"), "--server",
                                   arguments.programs, "--list", *data])
            if done.returncode != 0:
                failed.append(release)
    print(f"{len(releases) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
