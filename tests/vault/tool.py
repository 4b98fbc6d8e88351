"""Runs vault_tool and reads what it says."""

import dataclasses
import os
import pathlib
import subprocess

ROOT_SECRET = b"\1" * 32
PROGRAM = pathlib.Path(os.environ["CLOISTER_PROGRAMS"]) / "vault_tool"


@dataclasses.dataclass
class Said:
    record: bytes = b""
    versions: dict = dataclasses.field(default_factory=dict)  # number: digests of what it holds
    wrong: list = dataclasses.field(default_factory=list)     # lines about what is not right


def run(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def check(folder):
    said = Said()
    for line in run("check", folder):
        word, *rest = line.split()
        if word == "record":
            said.record = bytes.fromhex(rest[0]) if rest else b""
        elif word == "version":
            said.versions[int(rest[0])] = rest[1:]
        else:
            said.wrong.append(line)
    return said
