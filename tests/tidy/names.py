"""Banned names outside their doors, open ends without an issue, and host names."""

import functools
import re

from tree import Finding, code_of

# What is banned, where it may stand all the same (a path's beginning), and what to use.
_BANNED = [
    (r"\bsystem_clock::now\b", ("src/base/posix/",), "take a Clock"),
    (r"\bgetenv\b", (), "nothing is read from the environment"),
    (r"\bstd::cout\b", (), "programs print with stdio, the rest records events"),
    (r"\bs?rand\s*\(", (), "take an Entropy"),
    (r"\bmemcmp\b", (), "compare ranges, or equal_in_constant_time for secrets"),
    (r"\bdetach\s*\(", (), "threads have owners: std::jthread members"),
    (r"\bconst_cast\b", (), "an API that needs it is wrapped in its door"),
]
_BANNED_IN_DOORS = {r"\bconst_cast\b": ("src/engine/ort/", "src/crypto/openssl/")}
_OPEN_END = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b(?!.*#\d+)")
# Hosts that a text may name. Everything else is refused, so that no machine's own network and no
# package index stands in the tree.
_HOSTS = re.compile(r"\b(?:[a-z0-9-]+\.)+(?:org|com|net)\b|://([A-Za-z0-9.-]+)")
_HOSTS_ALLOWED = re.compile(
    r"^([a-z0-9-]*|127\.0\.0\.1|(.*\.)?example(\.(org|com|net))?|.*\.invalid|(www\.)?w3\.org"
    r"|(www\.)?rfc-editor\.org|(www\.)?onnx\.ai|kserve\.github\.io|github\.com|opensource\.org"
    # Where chip makers publish collateral.
    r"|(api|certificates)\.trustedservices\.intel\.com|kdsintf\.amd\.com"
    # What the engine looks for in a runtime that sends telemetry.
    r"|([a-z]+\.)*events\.data\.microsoft\.com)$"
)


def check(files):
    return [finding for file in files for finding in _check_file(file)]


@functools.cache
def _check_file(file):
    findings = []
    if file.is_cpp and file.path.parts[0] != "bench":
        findings += _banned(file)
    for number, line in enumerate(file.lines, 1):
        if _OPEN_END.search(line):
            message = "an open end needs the number of its issue (#12)"
            findings.append(Finding(str(file.path), number, message))
        for match in _HOSTS.finditer(line):
            host = (match.group(1) or match.group()).rstrip(".").lower()
            if not _HOSTS_ALLOWED.match(host):
                message = f"names the host {host}: only documents' hosts may stand in the tree"
                findings.append(Finding(str(file.path), number, message))
    return findings


def _banned(file):
    findings = []
    path = str(file.path)
    for number, line in enumerate(code_of(file.text).splitlines(), 1):
        for pattern, places, instead in _BANNED:
            doors = places + _BANNED_IN_DOORS.get(pattern, ())
            if re.search(pattern, line) and not path.startswith(doors or ("\0",)):
                name = re.sub(r"\\[bs]|[*?(\\]", "", pattern)
                findings.append(Finding(path, number, f"the name {name} is banned: {instead}"))
    return findings
