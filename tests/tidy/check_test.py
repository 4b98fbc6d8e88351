#!/usr/bin/env python3
"""The test of the test: each planted fault is found, and nothing else is."""

import pathlib
import shutil
import sys
import tempfile
import unittest

import check
from tree import SKIPPED_FOLDERS, code_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONG_FUNCTION = "int f(int a) {\n" + "  a += 1;\n" * 59 + "  return a;\n}\n"


class Planted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="cloister-tidy-")
        cls.addClassCleanup(folder.cleanup)
        cls.tree = pathlib.Path(folder.name) / "tree"
        ignore = shutil.ignore_patterns(*SKIPPED_FOLDERS)
        shutil.copytree(ROOT, cls.tree, ignore=ignore, symlinks=True)
        cls.before = set(map(str, check.findings_of(cls.tree)))

    def assert_found(self, path, text, *expected):
        """Appends `text` to `path`; the new findings must be those that hold `expected`."""
        target = self.tree / path
        old = target.read_text() if target.exists() else None
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((old or "") + text)
        try:
            found = sorted(set(map(str, check.findings_of(self.tree))) - self.before)
        finally:
            if old is None:
                target.unlink()
            else:
                target.write_text(old)
        self.assertEqual(len(found), len(expected), found)
        for one, part in zip(found, sorted(expected)):
            self.assertIn(part, one)
            self.assertTrue(one.startswith(str(pathlib.Path(path).parts[0])), one)

    def test_forbidden_folder(self):
        self.assert_found("src/base/result.cc", '#include "crypto/sha256.h"\n',
                          "src/base may not include")

    def test_include_of_nothing(self):
        self.assert_found("src/base/result.cc", '#include "base/absent.h"\n', "in neither")

    def test_door_from_outside(self):
        self.assert_found("src/base/result.cc", '#include "base/posix/posix_clock.h"\n',
                          "belongs to the door base/posix")

    def test_third_party_outside_its_door(self):
        self.assert_found("src/base/result.cc", "#include <openssl/evp.h>\n",
                          "includes <openssl/evp.h> outside the door")
        self.assert_found("src/base/result.cc", "#include <fmt/format.h>\n", "outside the door")
        self.assert_found("src/base/result.cc", "#include <sys/stat.h>\n", "outside the door")

    def test_third_party_in_a_header(self):
        self.assert_found("src/base/posix/posix_clock.h", "#include <sys/stat.h>\n", "in a header")

    def test_test_library_in_the_program(self):
        self.assert_found("src/base/result.cc", "#include <gtest/gtest.h>\n", "for tests")

    def test_unknown_folder(self):
        self.assert_found("src/base/result.cc", '#include "support/fake_clock.h"\n',
                          "of the tests")

    def test_banned_names(self):
        for text in ("std::chrono::system_clock::now()", 'getenv("A")', "std::cout << 1",
                     "rand()", "srand (1)", "memcmp(a, b, 1)", "t.detach()", "const_cast<int>(a)"):
            self.assert_found("src/base/result.cc", f"auto x = {text};\n", "is banned")

    def test_banned_name_in_words_is_no_name(self):
        self.assert_found("src/base/result.cc", '// getenv\nauto x = "rand()"; /* std::cout */\n')
        self.assertEqual(code_of('a /* b\nc */ "d//e" f').split(), ["a", '""', "f"])

    def test_long_line(self):
        self.assert_found("src/base/result.cc", "//" + "x" * 99 + "\n", "100 columns")
        self.assert_found("src/base/result.cc", "//" + "x" * 98 + "\n")

    def test_long_function(self):
        self.assert_found("src/base/result.cc", LONG_FUNCTION, "a function of 62 lines")
        self.assert_found("src/base/result.cc", LONG_FUNCTION.replace("  a += 1;\n", "", 2))

    def test_long_files(self):
        self.assert_found("src/base/result.cc", "//\n" * 500, "the limit is 500")
        self.assert_found("src/base/result.h", "//\n" * 200, "the limit is 200")
        self.assert_found("src/base/result_test.cc", "//\n" * 800, "the limit is 800")
        self.assert_found("tests/tidy/check.py", "#\n" * 800, "the limit is 800")

    def test_crowded_folder(self):
        for i in range(16):
            (self.tree / f"src/base/planted_{i}.cc").write_text("\n")
        try:
            found = set(map(str, check.findings_of(self.tree))) - self.before
        finally:
            for i in range(16):
                (self.tree / f"src/base/planted_{i}.cc").unlink()
        self.assertTrue(any("it is two folders" in one for one in found), found)

    def test_dead_files(self):
        self.assert_found("src/base/lonely.cc", "int lonely();\n", "nothing builds it")
        self.assert_found("src/base/lonely.h", "int lonely();\n", "included by nothing")
        self.assert_found("tests/tidy/lonely_" + "tool.py", "pass\n", "nothing runs it")
        self.assert_found("src/base/lonely/CMakeLists.txt", "", "no other CMakeLists.txt")

    def test_open_end(self):
        word = "TO" + "DO"
        self.assert_found("src/base/result.cc", f"// {word}: later\n", "number of its issue")
        self.assert_found("src/base/result.cc", f"// {word}(#12): later\n")

    def test_host_names(self):
        for host in ("files.a-registry." + "org", "https:" + "//mirror.inside/x"):
            self.assert_found("tests/tidy/check.py", f"# from {host}\n", "names the host")

    def test_tables_are_read(self):
        text = (self.tree / "docs/architecture.md").read_text()
        (self.tree / "docs/architecture.md").write_text(text.replace("| base secret |", "| |"))
        try:
            found = set(map(str, check.findings_of(self.tree))) - self.before
        finally:
            (self.tree / "docs/architecture.md").write_text(text)
        self.assertTrue(any("src/crypto may not include" in one for one in found), found)


if __name__ == "__main__":
    sys.exit(unittest.main())
