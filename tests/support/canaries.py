"""Looks for secrets wherever something leaves a process in the clear, in every form it might take.

A secret is searched for piece by piece, so that half of one is found too: as it is, in the other
byte order, in hexadecimal, in base64 and as decimal text.
"""

import base64
import pathlib
import re
import struct

PIECE = 16  # bytes; nothing random of that size is anywhere by chance
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
            yield str(bits).encode()
    for (value,) in struct.iter_unpack("<f", piece):
        if 1 <= value < 2:
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
    return found


class Search:
    """Secrets by name, and where each was seen."""

    def __init__(self):
        self._needles = []

    def add(self, name, secret, element=1):
        for form, needles in forms(secret, element).items():
            self._needles += [(f"{name}, {form}", needle) for needle in needles]

    def finds(self, places, but=()):
        """(secret and form, place) for every hit in `places`, pairs of a name and bytes."""
        return sorted({(name, place) for place, content in places
                       for name, needle in self._needles
                       if needle in content and (name.split(",")[0], place) not in but})


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
