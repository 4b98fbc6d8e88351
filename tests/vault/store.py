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
    return seed + AESGCM(key).encrypt(bytes(12), plaintext, header)


def open_small(parent, label, header, sealed):
    key = hkdf(sealed[:32], parent, label + b" key" + digest(header))
    return AESGCM(key).decrypt(bytes(12), sealed[32:], header)


def text(value):
    return struct.pack("<H", len(value)) + value.encode()


@dataclasses.dataclass
class Version:
    owner: str
    model: str
    number: int
    file: bytes
    build: bytes
    table: bytes
    graph_bytes: int
    graph_root: bytes
    weights_bytes: int
    weights_root: bytes
    sha256: bytes
    upload_bytes: int
    stored_bytes: int
    uploaded_at: int
    seeds: bytes
    rest: bytes = b""  # cost, signature and form, as they stand

    @classmethod
    def decode(cls, said, seeds):
        owner, at = read_text(said, 0)
        model, at = read_text(said, at)
        fields = struct.unpack_from("<Q16s32s32sQ32sQ32s32sQQQ", said, at)
        end = at + struct.calcsize("<Q16s32s32sQ32sQ32s32sQQQ")
        return cls(owner, model, *fields, seeds=seeds, rest=said[end:])

    def form(self):
        """(what it fits, worth packing, the form as a version of its own), or nothing."""
        at = 5 * 8 + 1
        for _ in range(3):
            at = skip_tensors(self.rest, at)
        if at == len(self.rest):
            return None
        fits, at = read_text(self.rest, at)
        fields = struct.unpack_from("<16s32s32sQ32sQ32s", self.rest, at + 1)
        assert at + 1 + struct.calcsize("<16s32s32sQ32sQ32s") == len(self.rest)
        sealed = Version(self.owner, self.model, self.number, *fields, sha256=self.sha256,
                         upload_bytes=0, stored_bytes=0, uploaded_at=0, seeds=self.seeds[96:])
        return fits, self.rest[at], sealed

    def encode(self):
        return text(self.owner) + text(self.model) + struct.pack(
            "<Q16s32s32sQ32sQ32s32sQQQ", self.number, self.file, self.build, self.table,
            self.graph_bytes, self.graph_root, self.weights_bytes, self.weights_root, self.sha256,
            self.upload_bytes, self.stored_bytes, self.uploaded_at) + self.rest

    def segment_key(self, store_key, segment):
        info = b"cloister vault 1 segment" + self.file + bytes([segment]) + self.build + self.sha256
        info += struct.pack("<QQ", self.graph_bytes, self.weights_bytes)
        return hkdf(self.seeds[32 * segment:32 * segment + 32], store_key, info)

    def header(self):
        return b"CLOISTV1" + bytes(8) + self.file


def read_text(data, at):
    size, = struct.unpack_from("<H", data, at)
    return data[at + 2:at + 2 + size].decode(), at + 2 + size


def skip_tensors(data, at):
    """Behind a list of tensors: inputs or outputs."""
    count, = struct.unpack_from("<H", data, at)
    at += 2
    for _ in range(count):
        _, at = read_text(data, at)
        rank = data[at + 2]
        at += 3
        for _ in range(rank):
            _, at = read_text(data, at + 9)
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
        offsets = struct.unpack_from(f"<{sum(counts)}Q", image, 16)
        kinds = [kind for kind, count in enumerate(counts) for _ in range(count)]
        for kind, offset in zip(kinds, offsets):
            said, seeds = struct.unpack_from("<II", image, offset)
            start = offset + 8
            self.apply_entry(kind, image[start:start + said],
                             image[start + said:start + said + seeds])

    def apply_entry(self, kind, said, seeds):
        if kind == 0:
            version = Version.decode(said, seeds)
            self.versions[version.owner, version.model, version.number] = version
        elif kind == 1:
            owner, at = read_text(said, 0)
            model, at = read_text(said, at)
            number, = struct.unpack_from("<Q", said, at)
            self.erased.add((owner, model, number))
            self.versions.pop((owner, model, number), None)
        elif kind == 2:
            name, at = read_text(said, 0)
            self.records[name] = said[at:]

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
        assert digest(b"".join(leaf for _, leaf in entries[:graph_chunks])) == version.graph_root
        assert digest(b"".join(leaf for _, leaf in entries[graph_chunks:])) == version.weights_root
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
        assert magic == b"CLOISTC1" and store_id == data[16:32]
        assert previous is None or (before == link_of(previous) and epoch == store.epoch + 1)
        store.apply(open_small(catalogue_key, b"cloister vault 1 catalogue", file[:88], file[88:]))
        store.epoch = epoch
        previous = file
    return store


def link_of(file):
    """What the next catalogue file is bound to: header, seed and tag."""
    return digest(file[:88 + 32] + file[-16:])


def encode_image(versions, records):
    entries = [(version.encode(), version.seeds) for version in versions]
    entries += [(text(name) + content, b"") for name, content in sorted(records.items())]
    at = 16 + 8 * len(entries)
    offsets, content = [], b""
    for said, seeds in entries:
        offsets.append(at + len(content))
        content += struct.pack("<II", len(said), len(seeds)) + said + seeds
    head = struct.pack("<4I", len(versions), 0, len(records), 0)
    return head + b"".join(struct.pack("<Q", offset) for offset in offsets) + content


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
    version.graph_root = digest(b"".join(leaf for _, leaf in entries[GRAPH]))
    version.weights_root = digest(b"".join(leaf for _, leaf in entries[WEIGHTS]))
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
    header = b"CLOISTC1" + struct.pack("<Q16sQ32sQQ", 1, store_id, 1, bytes(32), 0, 1760000000)
    key = hkdf(store_key, b"", b"cloister vault 1 catalogue key")
    versions = sorted((each[0] for each in contents),
                      key=lambda each: (each.owner, each.model, each.number))
    (folder / "catalogue" / f"{1:016x}").write_bytes(header + seal_small(
        random, key, b"cloister vault 1 catalogue", header, encode_image(versions, records)))
