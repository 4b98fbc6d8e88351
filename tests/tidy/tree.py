"""The files that the checks look at, and what a check reports."""

import dataclasses
import functools
import os
import pathlib
import re

SKIPPED_FOLDERS = {"build", ".git", "__pycache__", ".venv"}
SOURCE_SUFFIXES = {".cc", ".h", ".py", ".sh", ".cmake"}
SOURCE_NAMES = {"dev", "run", "CMakeLists.txt"}
TEXT_SUFFIXES = SOURCE_SUFFIXES | {".md", ".txt", ".json", ".yml", ".yaml", ".toml", ""}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One broken rule. `line` is 0 where the whole file is meant."""

    path: str
    line: int
    message: str

    def __str__(self):
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.message}"


@dataclasses.dataclass(frozen=True)
class SourceFile:
    path: pathlib.PurePosixPath
    text: str

    @property
    def lines(self):
        return self.text.splitlines()

    @property
    def is_source(self):
        return self.path.suffix in SOURCE_SUFFIXES or self.path.name in SOURCE_NAMES

    @property
    def is_cpp(self):
        return self.path.suffix in {".cc", ".h"}

    @property
    def is_test(self):
        beside = self.path.stem.endswith(("_test", "_fuzz"))
        return self.path.parts[0] == "tests" or beside


def read_tree(root):
    """Every text file below `root`, in order, build products left out."""
    files = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for path in (pathlib.Path(folder, name) for name in sorted(names)):
            if path.suffix not in TEXT_SUFFIXES or path.is_symlink() or not path.is_file():
                continue
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            files.append(SourceFile(pathlib.PurePosixPath(path.relative_to(root)), text))
    return files


_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*\""""
    r"""|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'""",
    re.DOTALL,
)


@functools.cache
def code_of(text):
    """C++ `text` with comments and literals blanked out; line numbers stay the same."""
    def blank(match):
        token = match.group()
        inner = "\n" * token.count("\n")
        return inner if token.startswith("/") else '"' + inner + '"'
    return _TOKEN.sub(blank, text)
