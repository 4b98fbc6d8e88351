"""The processes of a server under test."""

import ctypes
import pathlib

_KCMP, _KCMP_VM = 312, 1
_C_LIBRARY = ctypes.CDLL(None)


def has_memory_of(pid, other):
    """Whether both run in one address space, as a child does that has not started its program yet:
    what it has is counted with its parent's."""
    return pid != other and _C_LIBRARY.syscall(_KCMP, pid, other, _KCMP_VM, 0, 0) == 0


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
