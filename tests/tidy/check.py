#!/usr/bin/env python3
"""Checks the tree against STYLE's habits: includes, names, sizes, dead files.

Usage: check.py [ROOT]. Prints one line for each broken rule; exits 1 if there is any.
"""

import pathlib
import sys

import dead_files
import includes
import names
import sizes
from tree import read_tree


def findings_of(root):
    files = read_tree(root)
    checks = (includes, names, sizes, dead_files)
    return [finding for check in checks for finding in check.check(files)]


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
    findings = findings_of(root)
    for finding in findings:
        print(finding)
    print(f"tidy: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
