"""Looks for secrets wherever something leaves a process in the clear, in every form it might take.

A secret is searched for piece by piece, so that half of one is found too: as it is, in the other
byte order, in hexadecimal, in base64 and as decimal text.
"""

import base64
import collections
import pathlib
import re
import struct

import numpy as np

PIECE = 16  # bytes; nothing random of that size is anywhere by chance
HEAD = 8    # bytes of a form by which it is looked for
ROUND = 4096  # floats whose bits end in so many zeros, like 1.5, are in many a text by chance
MEMORY = re.compile(r"^(/memfd:|anon_inode:|socket:|/dev/null$|/dev/urandom$|/$)")


def base64_forms(piece):
    """What stands in base64 of anything that holds `piece`, whatever comes before and after it."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + piece)
        first = -(-8 * before // 6)  # letters that hold bits of what comes before
        whole = (8 * before + 8 * len(piece)) // 6
        yield text[first:whole]
        yield base64.urlsafe_b64encode(bytes(before) + piece)[first:whole]


def decimal_forms(piece, element):
    """Numbers as text: floats with seven places, which any longer form begins with or rounds to."""
    yield ", ".join(map(str, piece)).encode()
    yield ",".join(map(str, piece)).encode()
    yield " ".join(map(str, piece)).encode()
    if element != 4:
        return
    for order in "<>":
        for (bits,) in struct.iter_unpack(order + "I", piece):
            if bits % ROUND:
                yield str(bits).encode()
    for (bits,), (value,) in zip(struct.iter_unpack("<I", piece), struct.iter_unpack("<f", piece)):
        if bits % ROUND and 1 <= value < 2:
            yield f"{value:.9f}"[:8].encode()  # cut
            yield f"{value:.6f}".encode()      # rounded


def forms(secret, element=1):
    """Name of each form to what must be nowhere. `element`: bytes of one number in `secret`."""
    found = {name: set() for name in ("as it is", "turned around", "hexadecimal", "base64",
                                      "decimal")}
    for start in range(0, len(secret) - PIECE + 1, PIECE):
        piece = secret[start:start + PIECE]
        swapped = b"".join(piece[i:i + element][::-1] for i in range(0, PIECE, element))
        turned = {piece[::-1], swapped} - {piece}
        found["as it is"].add(piece)
        found["turned around"] |= turned
        for each in {piece} | turned:
            found["hexadecimal"] |= {each.hex().encode(), each.hex().upper().encode()}
            found["base64"] |= set(base64_forms(each))
            found["decimal"] |= set(decimal_forms(each, element if each == piece else 1))
    return {form: {each for each in needles if len(each) >= HEAD}
            for form, needles in found.items()}


class Search:
    """Secrets by name, and where each was seen.

    Every place of a content is held against the first eight bytes of all forms at once, so that
    what a search takes hardly depends on how many secrets there are.
    """

    def __init__(self):
        self._names = collections.defaultdict(set)  # of each form that must be nowhere
        self._by_head = None

    def add(self, name, secret, element=1):
        for form, needles in forms(secret, element).items():
            for needle in needles:
                self._names[needle].add(f"{name}, {form}")
        self._by_head = None

    def _prepare(self):
        self._by_head = collections.defaultdict(list)
        for needle in self._names:
            self._by_head[needle[:HEAD]].append(needle)
        self._heads = np.frombuffer(b"".join(self._by_head), "<i8")
        self._low = np.zeros(1 << 20, bool)
        self._low[self._heads & 0xFFFFF] = True

    def _found_in(self, content):
        """The forms that stand in `content`."""
        for shift in range(min(HEAD, len(content) - HEAD + 1)):
            words = np.frombuffer(content, "<i8", (len(content) - shift) // HEAD, shift)
            likely = np.flatnonzero(self._low[words & 0xFFFFF])
            for at in likely[np.isin(words[likely], self._heads)]:
                start = shift + HEAD * int(at)
                for needle in self._by_head[content[start:start + HEAD]]:
                    if content.startswith(needle, start):
                        yield needle

    def finds(self, places, but=()):
        """(secret and form, place) for every hit in `places`, pairs of a name and bytes."""
        if not self._names:
            return []
        if self._by_head is None:
            self._prepare()
        return sorted({(name, place) for place, content in places
                       for needle in set(self._found_in(content)) for name in self._names[needle]
                       if (name.split(",")[0], place) not in but})


def files_below(folder):
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield str(path.relative_to(folder)), path.read_bytes()


def open_files(pid):
    """What a process holds open that is no memory of its own: deleted and unnamed files too."""
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
            if MEMORY.match(target) or not entry.is_file():
                continue
            yield f"open: {target}", entry.read_bytes()
        except OSError:
            pass  # closed meanwhile


def shared_files(pid):
    """Names of files that a process maps together with others and that are not memory files."""
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[1].endswith("s") and not MEMORY.match(fields[5]):
            yield fields[5]


def of_process(pid):
    """All that a process shows to others on the machine, its memory apart."""
    base = pathlib.Path(f"/proc/{pid}")
    for name in ("cmdline", "environ", "comm", "maps"):
        try:
            yield f"{name} of a process", (base / name).read_bytes()
        except OSError:
            pass
    yield from open_files(pid)
    for name in shared_files(pid):
        path = pathlib.Path(name.removesuffix(" (deleted)"))
        if path.is_file():
            yield f"mapped: {name}", path.read_bytes()
