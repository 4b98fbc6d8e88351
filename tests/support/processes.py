"""The processes of a server under test."""

import pathlib


def family_of(pid):
    """The process and all that descend from it."""
    found = [pid]
    for each in found:
        try:
            threads = list(pathlib.Path(f"/proc/{each}/task").iterdir())
        except OSError:  # it has just ended
            continue
        for thread in threads:
            try:
                found += [int(child) for child in (thread / "children").read_text().split()]
            except OSError:
                pass
    return found
