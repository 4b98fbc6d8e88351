"""The processes of a server under test."""

import pathlib


def family_of(pid):
    """The process and all that descend from it."""
    found = [pid]
    for each in found:
        for children in pathlib.Path(f"/proc/{each}/task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except OSError:
                pass
    return found
