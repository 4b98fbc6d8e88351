"""Every #include line against the tables in docs/architecture.md."""

import re

from tree import Finding

TABLES = "docs/architecture.md"
_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
_ROW = re.compile(r"^\| `([^`]+)` \|[^|]*\|([^|]*)\|$")
_FREE_FOLDERS = {"apps", "tests", "bench", "examples", "python"}
_TEST_LIBRARIES = ("gtest/", "gmock/", "rapidcheck")


class Tables:
    """What a folder may include, and what a door may name."""

    def __init__(self, text):
        self.folders = {}
        self.doors = {}
        rows = None
        for line in text.splitlines():
            if line.startswith("| Folder |"):
                rows = self.folders
            elif line.startswith("| Door |"):
                rows = self.doors
            match = _ROW.match(line)
            if match and rows is not None:
                rows[match.group(1)] = set(re.sub("[`,]", "", match.group(2)).split())

    def door_of(self, path):
        """The door that src-relative `path` (or one below apps/) stands in, or None."""
        folders = [str(parent) for parent in path.parents]
        return next((folder for folder in folders if folder in self.doors), None)


def check(files):
    by_path = {str(file.path): file for file in files}
    if TABLES not in by_path:
        return [Finding(TABLES, 0, "is missing: it holds the include table")]
    tables = Tables(by_path[TABLES].text)
    findings = []
    for file in files:
        if not file.is_cpp:
            continue
        for number, line in enumerate(file.lines, 1):
            match = _INCLUDE.match(line)
            if not match:
                continue
            reason = _refusal(tables, by_path, file, match.group(1) == '"', match.group(2))
            if reason:
                findings.append(Finding(str(file.path), number, reason))
    return findings


def _refusal(tables, by_path, file, quoted, name):
    """Why `file` may not include `name`, or None."""
    if quoted:
        return _refusal_of_ours(tables, by_path, file, name)
    if "." not in name and "/" not in name:
        return None
    return _refusal_of_theirs(tables, file, name)


def _refusal_of_ours(tables, by_path, file, name):
    own_program = file.path.parts[0] == "apps" and str(file.path.parent / name) in by_path
    if own_program or (file.path.parts[0] == "bench" and f"bench/{name}" in by_path):
        return None
    in_tests = f"tests/{name}" in by_path
    if f"src/{name}" not in by_path and not in_tests:
        return f'includes "{name}", which is in neither src/ nor tests/'
    if file.path.parts[0] in _FREE_FOLDERS:
        return None
    if in_tests:
        return None if file.is_test else f'includes "{name}" of the tests'
    own = file.path.relative_to("src")
    target = type(own)(name)
    allowed = tables.folders.get(own.parts[0])
    if allowed is None:
        return f"stands in src/{own.parts[0]}, which the table in {TABLES} does not know"
    if target.parts[0] != own.parts[0] and target.parts[0] not in allowed:
        return f'src/{own.parts[0]} may not include "{name}" (table in {TABLES})'
    door = tables.door_of(target) if len(target.parts) > 2 else None
    if door == "base/posix" and file.is_test:
        return None
    if door and door not in [str(parent) for parent in own.parents]:
        return f'"{name}" belongs to the door {door}: only apps/ and its own files include it'
    return None


def _refusal_of_theirs(tables, file, name):
    if file.is_test or file.path.parts[0] in _FREE_FOLDERS - {"apps"}:
        return None
    if name.startswith(_TEST_LIBRARIES):
        return f"includes <{name}>, which is for tests"
    path = file.path if file.path.parts[0] == "apps" else file.path.relative_to("src")
    door = tables.door_of(path)
    if door is None or not name.startswith(tuple(tables.doors[door])):
        return f"includes <{name}> outside the door for it (table in {TABLES})"
    if file.path.suffix != ".cc":
        return f"includes <{name}> in a header: a door's headers speak our types only"
    return None
