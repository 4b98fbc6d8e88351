"""What runs inside the trust boundary, counted as bytes of every file that is mapped."""

import os
import pathlib


def mapped_files(pid, name, data):
    """{"name": `name`, "files": {path: bytes}} of one process.

    A file that nothing may execute and that exists in memory only, or below the folder `data`, is a
    model or a tensor, not code: it is left out. Programs and libraries that run from sealed memory
    files are counted with the whole file.
    """
    found, executable = {}, set()
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) < 6 or fields[4] == "0":
            continue
        place, rights, path = fields[0], fields[1], fields[5]
        found.setdefault((fields[3], fields[4]), (place, path))
        if "x" in rights:
            executable.add((fields[3], fields[4]))
    files = {}
    for key, (place, path) in found.items():
        in_memory = path.startswith(("/memfd:", "/dev/zero", "/SYSV"))
        if (in_memory or path.startswith(f"{data}/")) and key not in executable:
            continue
        first, last = (int(bound, 16) for bound in place.split("-"))
        size = os.stat(f"/proc/{pid}/map_files/{first:x}-{last:x}").st_size
        path = path.removesuffix(" (deleted)")
        files[f"{path} ({key[1]})" if in_memory else path] = size
    return {"name": name, "files": files}


def together(processes):
    """Every file once, with the names of the processes that map it."""
    files = {}
    for process in processes:
        for path, size in process["files"].items():
            entry = files.setdefault(path, {"bytes": size, "in": []})
            if process["name"] not in entry["in"]:
                entry["in"].append(process["name"])
    return dict(sorted(files.items(), key=lambda item: -item[1]["bytes"]))


def total(files):
    return sum(entry["bytes"] for entry in files.values())


def tree_bytes(folder):
    """Bytes of all files below a folder, each once."""
    seen, size = set(), 0
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        state = path.stat()
        if (state.st_dev, state.st_ino) not in seen:
            seen.add((state.st_dev, state.st_ino))
            size += state.st_size
    return size
