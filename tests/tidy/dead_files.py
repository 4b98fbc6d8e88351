"""No file that nothing builds, includes or runs."""

import re

from tree import Finding

_ROOTS = ("src", "apps", "tests", "bench", "examples")
_ENTRY = {"__init__.py", "run.py", "conftest.py"}
_SOAKS = "tests/soak"  # ./dev soak runs what it finds there


def check(files):
    build = [file for file in files if file.path.name == "CMakeLists.txt"]
    included = set()
    for file in files:
        if file.is_cpp:
            for name in re.findall(r'#\s*include\s*"([^"]+)"', file.text):
                included |= {f"{top}/{name}" for top in ("src", "tests", "bench")}
                included.add(str(file.path.parent / name))
    findings = []
    for file in files:
        if file.path.parts[0] not in _ROOTS:
            continue
        reason = None
        if file.path.suffix == ".cc" and not _is_built(file, files, build):
            reason = "is in no CMakeLists.txt: nothing builds it"
        elif file.path.suffix == ".h" and str(file.path) not in included:
            reason = "is included by nothing"
        elif file.path.suffix in {".py", ".sh"} and not _is_named(file, files):
            reason = "is named by no other file: nothing runs it"
        elif file in build and not _is_added(file, build, files):
            reason = "is added by no other CMakeLists.txt"
        if reason:
            findings.append(Finding(str(file.path), 0, reason))
    return findings


def _words(text):
    return set(re.split(r"[\s()\"=]+", re.sub(r"#.*", "", text)))


def _is_built(file, files, build):
    if str(file.path).startswith("tests/fuzz/"):
        build = [other for other in files if other.path.name == "cloister.cmake"]
        return any(str(file.path) in other.text for other in build)
    for other in build:
        words = _words(other.text)
        if f"${{PROJECT_SOURCE_DIR}}/{file.path}" in words:
            return True
        if other.path.parent in file.path.parents:
            if str(file.path.relative_to(other.path.parent)) in words:
                return True
    return False


def _is_named(file, files):
    if file.path.name in _ENTRY or str(file.path.parent) == _SOAKS:
        return True
    word = re.compile(rf"\b{re.escape(file.path.stem)}\b")
    if any(other is not file and file.path.stem in other.text and word.search(other.text)
           for other in files):
        return True
    # A list of tests may leave the common ending away.
    short = re.compile(rf"\b{re.escape(file.path.stem.removesuffix('_test'))}\b")
    beside = str(file.path.parent / "CMakeLists.txt")
    return any(str(other.path) == beside and short.search(other.text) for other in files)


def _is_added(file, build, files):
    # The top file and the one of the tests add what is there.
    if len(file.path.parts) <= (3 if file.path.parts[0] == "tests" else 2):
        return True
    return any(
        other is not file
        and other.path.parent in file.path.parents
        and file.path.parent.name in re.split(r"[\s()/}]+", other.text)
        for other in build
    )
