"""The store's format against an independent implementation, in both directions."""

import hashlib
import itertools
import pathlib
import shutil
import struct
import tempfile
import unittest
from unittest import mock

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault import store
from vault.tool import ROOT_SECRET, check, run

MIB = 1 << 20


def random_from(seed):
    """Bytes that depend on the seed alone: a test's randomness."""
    counter = itertools.count()

    def random(size):
        data = b""
        while len(data) < size:
            data += hashlib.sha256(struct.pack("<QQ", seed, next(counter))).digest()
        return data[:size]
    return random


class InteropTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "store"

    def seal(self):
        sizes = {1: 0, 2: 256, 3: MIB, 4: MIB + 1, 5: 3 * MIB - 1}
        run("seal", self.folder, *(f"{number}:{size}" for number, size in sizes.items()))
        return sizes

    def test_refuses_another_root_secret(self):
        self.seal()
        with self.assertRaises(Exception):
            store.read_store(self.folder, bytes(32))

    def test_opens_what_the_server_sealed_byte_for_byte(self):
        sizes = self.seal()
        opened = store.read_store(self.folder, ROOT_SECRET)
        self.assertEqual(opened.records, {"principals": b"alice"})
        said = check(self.folder)
        self.assertEqual(len(opened.versions), len(sizes))
        for (owner, model, number), version in opened.versions.items():
            self.assertEqual((owner, model), ("owner", "model"))
            segment, weights = opened.read_version(version)
            self.assertEqual(len(weights), sizes[number])
            self.assertEqual(version.sha256, hashlib.sha256(weights).digest())
            self.assertEqual(said.versions[number][0], hashlib.sha256(weights).hexdigest())
            size, = struct.unpack("<Q", segment[-self.graph_size(number) - 8:][:8])
            self.assertEqual(size, self.graph_size(number))
            self.assertEqual(said.versions[number][1],
                             hashlib.sha256(segment[-size:]).hexdigest())

    @staticmethod
    def graph_size(number):
        return 1 + number * 37 % 5000

    def test_writes_what_the_server_opens_byte_for_byte(self):
        # Segments are taken from a sealed store, because only the server makes graph segments.
        self.seal()
        sealed = store.read_store(self.folder, ROOT_SECRET)
        random = random_from(7)
        contents = []
        for version in sealed.versions.values():
            segments = sealed.read_version(version)
            version.file, version.seeds = random(16), random(32)
            contents.append((version, *segments))
        said = check(self.folder)
        written = self.folder.parent / "written"
        written.mkdir()
        store.write_store(written, random, ROOT_SECRET, contents, {"principals": b"bob"})
        again = check(written)
        self.assertEqual(again.versions, said.versions)
        self.assertEqual(again.record, b"bob")

    def test_two_clones_share_no_key_and_nonce(self):
        run("seal", self.folder, "1:256")
        recording = self.folder.parent / "recording"
        recording.write_bytes(random_from(3)(4096))
        before, _ = self.seals_of(self.folder)
        seals, sealed = [], []
        for number in (2, 5002):  # graphs and weights of one size
            clone = self.folder.parent / f"clone{number}"
            shutil.copytree(self.folder, clone)
            run("seal_recorded", clone, recording, f"{number}:{3 * MIB - 1}")
            used, opened = self.seals_of(clone)
            seals.append(used - before)
            sealed.append(opened.versions["owner", "model", number])
        one, other = sealed
        self.assertEqual((one.file, one.seeds), (other.file, other.seeds))
        self.assertEqual(one.graph_bytes, other.graph_bytes)
        for used in seals:  # three chunks of weights, one of the graph, a table, a change
            self.assertEqual(len(used), 6)
        self.assertFalse(seals[0] & seals[1])

    def seals_of(self, folder):
        """Every (key, nonce) with which something in a store is sealed, and the store."""
        used = set()

        class Recording:
            def __init__(self, key):
                self.key, self.cipher = key, AESGCM(key)

            def decrypt(self, nonce, data, associated_data):
                used.add((self.key, nonce))
                return self.cipher.decrypt(nonce, data, associated_data)

        with mock.patch.object(store, "AESGCM", Recording):
            opened = store.read_store(folder, ROOT_SECRET)
            for version in opened.versions.values():
                opened.read_version(version)
        return used, opened

    def test_gives_the_recorded_bytes_for_recorded_randomness(self):
        # A change of these is a change of the format, which needs a new number in the magic.
        key = store.hkdf(b"\1" * 32, b"\2" * 32, b"info")
        sealed = store.seal_small(random_from(1), key, b"label", b"header", b"plaintext")
        version = store.Version("o", "m", 1, b"\3" * 16, bytes(32), bytes(32), 5, 9,
                                b"\4" * 32, 0, 0, 0, bytes(range(32)))
        segment = version.segment_key(key, store.WEIGHTS)
        nonce, bound = store.chunk_binding(version.file, store.WEIGHTS, 7, 1)
        chunk = store.chunk_cipher(segment, 7, 1, store.leaf_of(b"chunk"))
        vectors = [sealed.hex(), segment.hex(), chunk.encrypt(nonce, b"chunk", bound).hex()]
        recorded = (pathlib.Path(__file__).parent / "vectors.txt").read_text().split()
        self.assertEqual(vectors, recorded)


if __name__ == "__main__":
    unittest.main()
