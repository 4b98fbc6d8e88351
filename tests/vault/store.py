"""docs/store-format.md once more, independently of the server: reads a store, and writes one.

Nothing here is shared with the C++ code. `read_store` checks all that the page says is checked.
"""

import dataclasses
import hashlib
import pathlib
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CHUNK = 1 << 20
PIECE = 1 << 18
BLOCK = 1 << 14
TABLE, GRAPH, WEIGHTS = range(3)


def digest(data):
    return hashlib.sha256(data).digest()


def leaf_of(chunk):
    """The hash of a chunk: over the hashes of its blocks."""
    return digest(b"".join(digest(chunk[at:at + BLOCK]) for at in range(0, len(chunk), BLOCK)))


def next_page(at):
    return (at + 4095) // 4096 * 4096


def hkdf(key, salt, info):
    return HKDF(hashes.SHA256(), 32, salt or None, info).derive(key)


def seal_small(random, parent, label, header, plaintext):
    bound = digest(header)
    seed = hkdf(random(32) + digest(plaintext), parent, label + b" seed" + bound)
    key = hkdf(seed, parent, label + b" key" + bound)
    pieces = [plaintext[at:at + PIECE] for at in range(0, len(plaintext), PIECE)] or [b""]
    sealed = [AESGCM(key).encrypt(piece_nonce(i, len(pieces)), piece, header)
              for i, piece in enumerate(pieces)]
    return seed + b"".join(each[:-16] for each in sealed) + b"".join(each[-16:] for each in sealed)


def open_small(parent, label, header, sealed):
    key = hkdf(sealed[:32], parent, label + b" key" + digest(header))
    tags = sealed[-tag_bytes(sealed):]
    ciphertext = sealed[32:-len(tags)]
    pieces = [ciphertext[at:at + PIECE] for at in range(0, len(ciphertext), PIECE)] or [b""]
    assert len(tags) == 16 * len(pieces)
    return b"".join(
        AESGCM(key).decrypt(piece_nonce(i, len(pieces)), piece + tags[16 * i:16 * i + 16], header)
        for i, piece in enumerate(pieces))


def piece_nonce(index, count):
    return struct.pack("<II4x", index, count - 1)


def tag_bytes(sealed):
    return -(-(len(sealed) - 32) // (PIECE + 16)) * 16


def number(value):
    """Seven bits to a byte, the lowest first."""
    data = b""
    while value >= 128:
        data += bytes([value & 127 | 128])
        value >>= 7
    return data + bytes([value])


def text(value):
    return number(len(value)) + value.encode()


@dataclasses.dataclass
class Version:
    owner: str
    model: str
    number: int
    file: bytes
    build: bytes
    table: bytes
    graph_bytes: int
    weights_bytes: int
    sha256: bytes
    upload_bytes: int
    stored_bytes: int
    uploaded_at: int
    seeds: bytes  # its file's, then its form's
    rest: bytes = b""  # cost, signature and form, as they stand

    @classmethod
    def decode(cls, said, seeds):
        owner, at = read_text(said, 0)
        model, at = read_text(said, at)
        version, at = read_number(said, at)
        seals, at = read_seals(said, at)
        sha256, at = said[at:at + 32], at + 32
        sizes = []
        for _ in range(3):
            size, at = read_number(said, at)
            sizes.append(size)
        return cls(owner, model, version, *seals, sha256, *sizes, seeds=seeds, rest=said[at:])

    def form(self):
        """(what it fits, worth packing, the form as a version of its own), or nothing."""
        at = 0
        for _ in range(5):
            _, at = read_number(self.rest, at)
        at += 1
        for _ in range(3):
            at = skip_tensors(self.rest, at)
        if at == len(self.rest):
            return None
        fits, at = read_text(self.rest, at)
        seals, end = read_seals(self.rest, at + 1)
        assert end == len(self.rest)
        sealed = Version(self.owner, self.model, self.number, *seals, sha256=self.sha256,
                         upload_bytes=0, stored_bytes=0, uploaded_at=0, seeds=self.seeds[32:])
        return fits, self.rest[at], sealed

    def encode(self):
        seals = (self.file + self.build + self.table + number(self.graph_bytes) +
                 number(self.weights_bytes))
        sizes = number(self.upload_bytes) + number(self.stored_bytes) + number(self.uploaded_at)
        return (text(self.owner) + text(self.model) + number(self.number) + seals + self.sha256 +
                sizes + self.rest)

    def segment_key(self, store_key, segment):
        info = b"cloister vault 1 segment" + self.file + bytes([segment]) + self.build + self.sha256
        info += struct.pack("<QQ", self.graph_bytes, self.weights_bytes)
        return hkdf(self.seeds[:32], store_key, info)

    def header(self):
        return b"CLOISTV1" + bytes(8) + self.file


def read_number(data, at):
    end = at
    while data[end] >= 128:
        end += 1
    value = sum((byte & 127) << 7 * i for i, byte in enumerate(data[at:end + 1]))
    assert number(value) == data[at:end + 1]
    return value, end + 1


def read_text(data, at):
    size, at = read_number(data, at)
    return data[at:at + size].decode(), at + size


def read_seals(data, at):
    """(file, build, table, graph bytes, weights bytes), and where they end."""
    file, build, table = struct.unpack_from("<16s32s32s", data, at)
    graph_bytes, at = read_number(data, at + 80)
    weights_bytes, at = read_number(data, at)
    return (file, build, table, graph_bytes, weights_bytes), at


def skip_tensors(data, at):
    """Behind a list of tensors: inputs or outputs."""
    count, at = read_number(data, at)
    for _ in range(count):
        _, at = read_text(data, at)
        rank = data[at + 2]
        at += 3
        for _ in range(rank):
            _, at = read_number(data, at + 1)
            _, at = read_text(data, at)
    return at


def chunk_cipher(segment_key, index, last, leaf):
    info = b"cloister vault 1 chunk" + struct.pack("<IB", index, last) + leaf
    return AESGCM(hkdf(segment_key, b"", info))


def chunk_binding(file, segment, index, last):
    return struct.pack("<I8x", index), file + struct.pack("<BIB", segment, index, last)


def chunks_of(size):
    """(index, offset, bytes, last) of each chunk of a segment."""
    for offset in range(0, size, CHUNK):
        length = min(CHUNK, size - offset)
        yield offset // CHUNK, offset, length, int(offset + length == size)


class Store:
    """What a store holds: versions by (owner, model, number), records by name, erased numbers."""

    def __init__(self, folder, store_key):
        self.folder = pathlib.Path(folder)
        self.store_key = store_key
        self.versions, self.records, self.erased = {}, {}, set()
        self.epoch = 0

    def apply(self, image):
        counts = struct.unpack_from("<4I", image)
        offsets = struct.unpack_from(f"<{sum(counts)}I", image, 16)
        kinds = [kind for kind, count in enumerate(counts) for _ in range(count)]
        for kind, offset in zip(kinds, offsets):
            said, secret = struct.unpack_from("<II", image, offset)
            start = offset + 8
            self.apply_entry(kind, image[start:start + said],
                             image[start + said:start + said + secret])

    def apply_entry(self, kind, said, secret):
        if kind == 0:
            version = Version.decode(said, secret)
            self.versions[version.owner, version.model, version.number] = version
        elif kind == 1:
            owner, at = read_text(said, 0)
            model, at = read_text(said, at)
            version, _ = read_number(said, at)
            self.erased.add((owner, model, version))
            self.versions.pop((owner, model, version), None)
        elif kind == 2:
            self.records[said.decode()] = secret

    def read_version(self, version):
        """(graph segment, weights segment), every byte verified."""
        data = (self.folder / "versions" / version.file.hex()).read_bytes()
        assert data[:32] == version.header()
        count = sum(len(list(chunks_of(size)))
                    for size in (version.graph_bytes, version.weights_bytes))
        table_end = 32 + 48 * count + 48
        graph_at = next_page(table_end)
        graph_end = graph_at + version.graph_bytes
        weights_at = next_page(graph_end)
        assert len(data) == weights_at + version.weights_bytes
        assert not any(data[table_end:graph_at]) and not any(data[graph_end:weights_at])
        sealed = data[32:table_end]
        assert digest(sealed) == version.table
        table = open_small(version.segment_key(self.store_key, TABLE), b"cloister vault 1 table",
                           version.header(), sealed)
        entries = [(table[i:i + 16], table[i + 16:i + 48]) for i in range(0, len(table), 48)]
        graph_chunks = len(list(chunks_of(version.graph_bytes)))
        graph = self.read_segment(version, GRAPH, data[graph_at:graph_end], entries[:graph_chunks])
        weights = self.read_segment(version, WEIGHTS, data[weights_at:], entries[graph_chunks:])
        return graph, weights

    def read_segment(self, version, segment, data, entries):
        key = version.segment_key(self.store_key, segment)
        plaintext = []
        for index, offset, length, last in chunks_of(len(data)):
            tag, leaf = entries[index]
            nonce, bound = chunk_binding(version.file, segment, index, last)
            cipher = chunk_cipher(key, index, last, leaf)
            chunk = cipher.decrypt(nonce, data[offset:offset + length] + tag, bound)
            assert leaf_of(chunk) == leaf
            plaintext.append(chunk)
        return b"".join(plaintext)


def read_store(folder, root_secret):
    folder = pathlib.Path(folder)
    data = (folder / "store").read_bytes()
    assert len(data) == 144 and data[:8] == b"CLOISTS1"
    store_key = open_small(root_secret, b"cloister vault 1 store key", data[:64], data[64:])
    store = Store(folder, store_key)
    catalogue_key = hkdf(store_key, b"", b"cloister vault 1 catalogue key")
    files = [path.read_bytes() for path in sorted((folder / "catalogue").iterdir())]
    first = max(i for i, file in enumerate(files) if file[8:16] == struct.pack("<Q", 1))
    previous = None
    for file in files[first:]:
        magic, _, store_id, epoch, before = struct.unpack_from("<8sQ16sQ32s", file)
        assert magic == b"CLOISTC2" and store_id == data[16:32]
        assert previous is None or (before == link_of(previous) and epoch == store.epoch + 1)
        store.apply(open_small(catalogue_key, b"cloister vault 1 catalogue", file[:88], file[88:]))
        store.epoch = epoch
        previous = file
    return store


def link_of(file):
    """What the next catalogue file is bound to: header, seed and tags."""
    return digest(file[:88 + 32] + file[-tag_bytes(file[88:]):])


def encode_image(versions, records):
    entries = [(version.encode(), version.seeds) for version in versions]
    entries += [(name.encode(), content) for name, content in sorted(records.items())]
    at = 16 + 4 * len(entries)
    offsets, content = [], b""
    for said, secret in entries:
        offsets.append(at + len(content))
        content += struct.pack("<II", len(said), len(secret)) + said + secret
    head = struct.pack("<4I", len(versions), 0, len(records), 0)
    return head + b"".join(struct.pack("<I", offset) for offset in offsets) + content


def write_version(folder, random, store_key, version, graph, weights):
    version.graph_bytes, version.weights_bytes = len(graph), len(weights)
    entries, sealed = {GRAPH: [], WEIGHTS: []}, {GRAPH: b"", WEIGHTS: b""}
    for segment, data in ((GRAPH, graph), (WEIGHTS, weights)):
        key = version.segment_key(store_key, segment)
        for index, offset, length, last in chunks_of(len(data)):
            chunk = data[offset:offset + length]
            nonce, bound = chunk_binding(version.file, segment, index, last)
            leaf = leaf_of(chunk)
            out = chunk_cipher(key, index, last, leaf).encrypt(nonce, chunk, bound)
            entries[segment].append((out[-16:], leaf))
            sealed[segment] += out[:-16]
    table = seal_small(random, version.segment_key(store_key, TABLE), b"cloister vault 1 table",
                       version.header(),
                       b"".join(tag + leaf for tag, leaf in entries[GRAPH] + entries[WEIGHTS]))
    version.table = digest(table)
    data = b""
    for part in (version.header() + table, sealed[GRAPH]):
        data += part
        data += bytes(next_page(len(data)) - len(data))
    data += sealed[WEIGHTS]
    version.stored_bytes = len(data)
    (folder / "versions" / version.file.hex()).write_bytes(data)


def write_store(folder, random, root_secret, contents, records):
    """A store of one catalogue. `contents`: (version without its seals, graph, weights) each."""
    folder = pathlib.Path(folder)
    for name in ("catalogue", "staging", "versions"):
        (folder / name).mkdir()
    store_id, store_key = random(16), random(32)
    header = b"CLOISTS1" + struct.pack("<Q", 0) + store_id + bytes(32)
    (folder / "store").write_bytes(header + seal_small(
        random, root_secret, b"cloister vault 1 store key", header, store_key))
    for version, graph, weights in contents:
        write_version(folder, random, store_key, version, graph, weights)
    header = b"CLOISTC2" + struct.pack("<Q16sQ32sQQ", 1, store_id, 1, bytes(32), 0, 1760000000)
    key = hkdf(store_key, b"", b"cloister vault 1 catalogue key")
    versions = sorted((each[0] for each in contents),
                      key=lambda each: (each.owner, each.model, each.number))
    (folder / "catalogue" / f"{1:016x}").write_bytes(header + seal_small(
        random, key, b"cloister vault 1 catalogue", header, encode_image(versions, records)))
