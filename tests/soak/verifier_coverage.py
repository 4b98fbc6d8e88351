"""Which lines of the verifier its own tests run, and how many lines of code it has.

Builds the verifier with gcov's counters, runs its tests and seeds, prints every line of
src/verifier that nothing ran, and fails when one of them refuses evidence. The recorded evidence
beside the repository counts where it is there.
"""

import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "coverage"
SOURCES = ROOT / "src" / "verifier"
TARGETS = ("verifier_test", "verifier_vectors_test", "synthetic_evidence_test", "attestation_test",
           "verifier_fuzz", "c_interface_test")
TESTS = "^(verifier|verifier_vectors|synthetic_evidence|attestation|verifier_seeds|c_interface)$"
REFUSAL = re.compile(r"\brefuse\(|\brefused\(|\bbroken\(|Refusal\{|refusals\.push_back|\badd\(Rule|"
                     r"\bwith\(std::move\(verdict\)")
LINES_AIM = 5000


def run(*command, **options):
    return subprocess.run([str(each) for each in command], check=True, **options)


def build():
    if not (BUILD / "build.ninja").exists():
        run("cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
            "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache", "-DCMAKE_C_COMPILER_LAUNCHER=ccache",
            "-DCMAKE_CXX_FLAGS=--coverage", "-DCMAKE_C_FLAGS=--coverage")
    run("ninja", "-C", BUILD, *TARGETS)
    for counters in BUILD.rglob("*.gcda"):
        counters.unlink()
    run("ctest", "--test-dir", BUILD, "-R", TESTS, "--output-on-failure")


def counts():
    """How often each line of each source ran, over all programs."""
    lines = collections.defaultdict(collections.Counter)
    for counters in BUILD.rglob("*.gcda"):
        if "cloister_verif" not in str(counters):
            continue
        done = run("gcov", "--json-format", "--stdout", counters, capture_output=True,
                   cwd=counters.parent)
        raw = done.stdout
        text = gzip.decompress(raw).decode() if raw[:2] == b"\x1f\x8b" else raw.decode()
        for document in text.splitlines():
            for file in json.loads(document)["files"]:
                path = (BUILD / file["file"]).resolve()
                if SOURCES in path.parents:
                    for line in file["lines"]:
                        lines[path][line["line_number"]] += line["count"]
    return lines


def lines_of_code():
    """Lines of the library that are neither blank nor a comment."""
    return sum(
        bool(line.strip()) and not line.strip().startswith(("//", "/*", "*"))
        for path in SOURCES.rglob("*")
        if path.suffix in (".cc", ".h")
        and not re.search(r"_(test|fuzz)\.cc$|_for_test\.", path.name)
        for line in path.read_text().splitlines())


def main():
    build()
    executable, missed, refusals = 0, 0, 0
    for path, lines in sorted(counts().items()):
        text = path.read_text().splitlines()
        executable += len(lines)
        for number, count in sorted(lines.items()):
            if count:
                continue
            missed += 1
            line = text[number - 1]
            refuses = bool(REFUSAL.search(line))
            refusals += refuses
            print(f"{path.relative_to(ROOT)}:{number}:{' REFUSAL' if refuses else ''} "
                  f"{line.strip()}")
    size = lines_of_code()
    print(f"verifier_coverage: {executable - missed} of {executable} lines ran; "
          f"{refusals} refusals did not (goal 0); {size} lines of code (goal {LINES_AIM})")
    sys.exit(1 if refusals or not executable or size > LINES_AIM else 0)


if __name__ == "__main__":
    main()
