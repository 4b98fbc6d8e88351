"""Lines, functions, files and folders stay small."""

import collections
import functools
import re

from tree import Finding, code_of

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 60
HEADER_LINES_MAX = 200
SOURCE_LINES_MAX = 500
TEST_LINES_MAX = 800
FOLDER_SOURCES_MAX = 15
_NO_FUNCTION = re.compile(r"^\s*(?:\}?\s*else\b|if\b|for\b|while\b|switch\b|catch\b|do\b|try\b)")
_TYPE = re.compile(r"\b(?:namespace|class|struct|union|enum)\b|\bextern\s*\"")
_AFTER_PARAMETERS = re.compile(
    r"\)\s*(?:(?:const|noexcept|override|final|mutable|try|&&?)\s*(?:\([^()]*\)\s*)?)*"
    r"(?:[A-Z_]+\([^()]*\)\s*)*(?:->[^;{}]+)?$"
)


def check(files):
    findings = []
    sources = collections.Counter()
    for file in files:
        if not file.is_source:
            continue
        findings += _check_file(file)
        if file.path.suffix in {".cc", ".py"} and not file.is_test:
            sources[str(file.path.parent)] += 1
    for folder, count in sources.items():
        if count > FOLDER_SOURCES_MAX:
            message = f"{count} source files; past {FOLDER_SOURCES_MAX} it is two folders"
            findings.append(Finding(folder, 0, message))
    return findings


@functools.cache
def _check_file(file):
    return _columns(file) + _length(file) + (_functions(file) if file.is_cpp else [])


def _columns(file):
    message = f"longer than {COLUMNS_MAX} columns"
    return [
        Finding(str(file.path), number, message)
        for number, line in enumerate(file.lines, 1)
        if len(line) > COLUMNS_MAX
    ]


def _length(file):
    limit = SOURCE_LINES_MAX
    if file.is_test:
        limit = TEST_LINES_MAX
    elif file.path.suffix == ".h":
        limit = HEADER_LINES_MAX
    count = len(file.lines)
    if count <= limit:
        return []
    return [Finding(str(file.path), 0, f"{count} lines; the limit is {limit}")]


def _functions(file):
    """Outermost function bodies, found by their braces."""
    findings = []
    depth_of_function = None
    depth = 0
    start = 1
    head = ""
    line = 1
    for character in _without_directives(code_of(file.text)):
        if character == "\n":
            line += 1
        if not head.strip():
            start = line
        if character == "{":
            if depth_of_function is None and _is_function(head):
                depth_of_function, first = depth, start
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == depth_of_function:
                depth_of_function = None
                if line - first + 1 > FUNCTION_LINES_MAX:
                    message = f"a function of {line - first + 1} lines; "
                    message += f"the limit is {FUNCTION_LINES_MAX}"
                    findings.append(Finding(str(file.path), first, message))
        head = "" if character in "{};" else head + character
    return findings


def _without_directives(code):
    """Preprocessor lines blanked, so that a macro's braces are not counted."""
    return re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m.group().count("\n"), code,
                  flags=re.MULTILINE)


def _is_function(head):
    head = head.strip()
    if not head or _NO_FUNCTION.match(head):
        return False
    if _AFTER_PARAMETERS.search(head):
        return True
    return ")" in head and not _TYPE.search(head) and "=" not in head.split("(")[0]
