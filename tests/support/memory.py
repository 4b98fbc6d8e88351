"""What another process has in its own memory."""

import os
import pathlib

import numpy as np

PAGE = os.sysconf("SC_PAGESIZE")
PRESENT = np.uint64(3 << 62)  # or swapped out
MOST = 64 << 20   # bytes at a time
OVERLAP = 4096    # of a piece with the next, for what lies across both
AT_ONCE = 1 << 30  # bytes of address space
SHADOW = 1 << 40   # from this size on a mapping is what a sanitizer knows of the memory


def written_mappings(pid):
    """(begin, end) of what the process alone may write and has any page of."""
    mappings, current = [], None
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and len(words) >= 5 and not words[0].endswith(":"):
            begin, end = (int(each, 16) for each in words[0].split("-"))
            own = words[1][1] == "w" and words[1][3] == "p" and end - begin < SHADOW
            current = (begin, end) if own else None
        elif words[0] == "Rss:" and current and int(words[1]):
            mappings.append(current)
    return mappings


def runs_of_pages(pagemap, begin, end):
    """(begin, end) of neighbouring pages that are there."""
    count = (end - begin) // PAGE
    flags = np.frombuffer(os.pread(pagemap, 8 * count, begin // PAGE * 8), np.uint64)
    there = np.concatenate([[False], flags & PRESENT != 0, [False]])
    edges = np.flatnonzero(there[1:] != there[:-1])
    for first, last in zip(edges[::2], edges[1::2]):
        yield begin + int(first) * PAGE, begin + int(last) * PAGE


def pieces(memory, begin, end):
    """The bytes between, but for pages that are no longer there."""
    at = begin
    while at < end:
        try:
            piece = os.pread(memory, min(MOST, end - at), at)
        except OSError:
            piece = b""
        yield piece
        # A read ends early in front of a page that is gone.
        at += len(piece) if len(piece) % PAGE == 0 and piece else PAGE
        if len(piece) == MOST and at < end:
            at -= OVERLAP


def contents(pid):
    """All of the writable memory of a process, in pieces."""
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    pagemap = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY)
    try:
        for begin, end in written_mappings(pid):
            for start in range(begin, end, AT_ONCE):
                for first, last in runs_of_pages(pagemap, start, min(end, start + AT_ONCE)):
                    yield from pieces(memory, first, last)
    finally:
        os.close(memory)
        os.close(pagemap)
