"""The machine that a run is made on: its cores, its page cache, what processes use, what it is."""

import ctypes
import datetime
import os
import pathlib
import platform
import subprocess
import time

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                       ctypes.c_long]
_LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_LIBC.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]


def cores():
    """(of the client, of the servers): the first and the last that this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise SystemExit("paper: needs two cores, one for the client and one for the server")
    return allowed[0], allowed[-1]


def pinned(core, command):
    """On one core, and not outliving this process however it ends."""
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(core), *map(str, command)]


def drop_from_cache(paths):
    """Returns how many bytes of the files are in the page cache all the same."""
    left = 0
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            left += _cached(descriptor, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)
    return left


def _cached(descriptor, size):
    if size == 0:
        return 0
    address = _LIBC.mmap(None, size, 1, 1, descriptor, 0)  # PROT_READ, MAP_SHARED
    if address in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "mmap")
    pages = ctypes.create_string_buffer((size + PAGE - 1) // PAGE)
    failed = _LIBC.mincore(address, size, pages)
    _LIBC.munmap(address, size)
    if failed:
        raise OSError(ctypes.get_errno(), "mincore")
    return sum(byte & 1 for byte in pages.raw) * PAGE


def family(pid):
    """`pid` and everything below it."""
    found = [pid]
    try:
        tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []
    for task in tasks:
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue  # the thread ended while it was looked at
        for child in children:
            found += family(int(child))
    return found


def cpu_seconds(pids):
    """CPU time of the processes that are still there."""
    total = 0.0
    for pid in pids:
        try:
            total += time.clock_gettime((~pid << 3) | 2)  # CPUCLOCK_SCHED of the process
        except OSError:
            pass
    return total


def wait_until_idle(pid, quiet=0.25, most=60.0):
    """Until the process and its children have used next to no CPU for `quiet` seconds."""
    end = time.monotonic() + most
    before = cpu_seconds(family(pid))
    while time.monotonic() < end:
        time.sleep(quiet)
        now = cpu_seconds(family(pid))
        if now - before < 0.02 * quiet:
            return
        before = now


def memory_of(pid):
    """(proportional, resident) bytes of a process; pages that several share count once in the
    first."""
    proportional = resident = 0
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                proportional = int(line.split()[1]) * 1024
            elif line.startswith("Rss:"):
                resident = int(line.split()[1]) * 1024
    except OSError:
        pass  # it ended
    return proportional, resident


def family_memory(pid):
    return sum(memory_of(each)[0] for each in family(pid))


def _first_line(path, start):
    try:
        for line in pathlib.Path(path).read_text().splitlines():
            if line.startswith(start):
                return line.split(":", 1)[-1].split("=", 1)[-1].strip().strip('"')
    except OSError:
        pass
    return "unknown"


def _said(*command, folder=None):
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"


def _huge_pages(kind):
    file = pathlib.Path("/sys/kernel/mm/transparent_hugepage") / kind
    return file.read_text().strip() if file.exists() else "unknown"


def identity():
    """What makes a machine another one for the numbers."""
    names = ("/etc/machine-id", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/version")
    said = [pathlib.Path(name).read_text().strip() for name in names if os.path.exists(name)]
    processor = [_first_line("/proc/cpuinfo", name) for name in ("model name", "flags")]
    pages = _huge_pages("enabled"), _huge_pages("shmem_enabled")
    return [*said, *processor, *pages, os.cpu_count(), os.sysconf("SC_PHYS_PAGES")]


def description(root):
    """What a reader needs to know of the machine."""
    flags = _first_line("/proc/cpuinfo", "flags").split()
    wanted = ("avx2", "avx512f", "avx512_vnni", "amx_tile", "vaes", "aes", "sha_ni", "hypervisor")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _first_line("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "flags": [flag for flag in wanted if flag in flags],
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * PAGE / (1 << 30), 1),
        "system": _first_line("/etc/os-release", "PRETTY_NAME"),
        "kernel": platform.release(),
        "huge_pages": _huge_pages("enabled"),
        "shared_huge_pages": _huge_pages("shmem_enabled"),
        "openssl": _said("openssl", "version"),
        "compiler": _said("c++", "--version"),
        "commit": _said("git", "rev-parse", "--short=12", "HEAD", folder=root),
        "changed_files": len(subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"], cwd=root,
            capture_output=True, text=True).stdout.splitlines()),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }
