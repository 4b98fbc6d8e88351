"""A host that damages the store under a running server, and what the server then answers.

Every damaged model must answer 500 with the code `corrupt` and its own name, all others with their
own numbers, and the damaged one again once its file is as it was. Damage of the catalogue and of
the store's file shows at the next start, which must be refused.
"""

import os
import random
import shutil

import numpy as np
from onnx import TensorProto, helper

from e2e.case import PROGRAMS, npy, small_model
from e2e.identity import configuration
from support.server import Server

CHUNK = 1 << 20
SIZES = (7, 7, 65, 400, 800_000, 800_000)  # elements; the last two have four chunks each
HEADERS = {"Content-Type": "application/x-npy"}
CLEAR = ("catalogue", "`store`", "another store", "no whole store")  # in a refusal to start


def model_of(number, size):
    weights = np.arange(size, dtype=np.float32) + np.float32(number)
    return weights, small_model(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [("x", TensorProto.FLOAT, [1])], [("y", TensorProto.FLOAT, [size])],
        [helper.make_tensor("w", TensorProto.FLOAT, [size], weights.tobytes(), raw=True)])


class Fleet:
    """A server with one model of each of SIZES, and what is on its disk."""

    def __init__(self, folder):
        self.folder = folder
        self.vault = folder / "vault"
        self.weights, self.files = {}, {}
        settings = folder.with_name(folder.name + "-settings")
        settings.mkdir()
        # Without optimised forms, which a server with a damaged version would still serve from.
        self.config, self.certificate = configuration(
            settings, store=str(folder), isolation="inline", optimised_forms=False)
        self.start("--create-store")
        for number, size in enumerate(SIZES):
            before = set((self.vault / "versions").iterdir())
            self.weights[number], data = model_of(number, size)
            stored = self.http.put(f"{self.server.url}/v2/models/m{number}/versions/1", data=data)
            assert stored.status_code == 201, stored.text
            self.files[number], = set((self.vault / "versions").iterdir()) - before
        self.content = {number: path.read_bytes() for number, path in self.files.items()}

    def start(self, *arguments):
        self.server = Server(PROGRAMS, self.folder, arguments, config=self.config)
        self.http = self.server.session()
        self.http.cert = self.certificate

    def stop(self):
        self.http.close()
        return self.server.stop()

    def infer(self, number):
        """(status, body) of a run for which the model was read anew."""
        model = f"{self.server.url}/v2/repository/models/m{number}/unload"
        unloaded = self.http.post(model)
        assert unloaded.status_code == 200, unloaded.text
        answer = self.http.post(f"{self.server.url}/v2/models/m{number}/infer",
                                data=npy(np.float32([1])), headers=HEADERS)
        return answer.status_code, answer

    def served(self, number):
        status, answer = self.infer(number)
        expected = (self.weights[number] + np.float32(1)).tobytes()
        return status == 200 and answer.content.endswith(expected)

    def refused(self, number):
        status, answer = self.infer(number)
        error = answer.json() if status == 500 else {}
        return (error.get("code") == "corrupt"
                and f'm{number}" version 1' in error.get("error", ""))

    def restore(self, number):
        path = self.files[number]
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        else:
            path.rmdir()
        path.write_bytes(self.content[number])


class Damages:
    """Each method damages the store and returns the numbers of the models that it hurt."""

    def __init__(self, fleet, other, chance):
        self.fleet, self.other, self.chance = fleet, other, chance

    def _write(self, number, content):
        self.fleet.files[number].write_bytes(content)
        return [number]

    def _any(self):
        number = self.chance.randrange(len(SIZES))
        return number, bytearray(self.fleet.content[number])

    def flipped_byte(self):
        number, content = self._any()
        content[self.chance.randrange(len(content))] ^= self.chance.randrange(1, 256)
        return self._write(number, content)

    def truncated(self):
        number, content = self._any()
        return self._write(number, content[:self.chance.randrange(len(content))])

    def extended(self):
        number, content = self._any()
        return self._write(number, content + os.urandom(self.chance.randrange(1, 5000)))

    def _swap_chunks(self, a, b):
        first, second = bytearray(self.fleet.content[a]), bytearray(self.fleet.content[b])
        count = len(self.fleet.weights[a]) * 4 // CHUNK
        end = len(first) - len(self.fleet.weights[a]) * 4
        i, j = self.chance.sample(range(count), 2)
        source = second if b != a else bytes(first)
        one, two = slice(end + i * CHUNK, end + (i + 1) * CHUNK), slice(end + j * CHUNK,
                                                                       end + (j + 1) * CHUNK)
        held = bytes(first[one])
        first[one] = source[two]
        if a == b:
            first[two] = held
            return self._write(a, first)
        second[two] = held
        return self._write(a, first) + self._write(b, second)

    def chunks_swapped_within_a_file(self):
        number = self.chance.choice((4, 5))
        return self._swap_chunks(number, number)

    def chunks_swapped_between_files(self):
        return self._swap_chunks(4, 5)

    def versions_swapped(self):
        a, b = self.chance.sample(range(len(SIZES)), 2)
        return self._write(a, self.fleet.content[b]) + self._write(b, self.fleet.content[a])

    def file_of_another_store(self):
        number = self.chance.randrange(len(SIZES))
        return self._write(number, self.other.content[self.chance.choice(
            (number, self.chance.randrange(len(SIZES))))])

    def link_or_folder(self):
        number, content = self._any()
        path = self.fleet.files[number]
        path.unlink()
        if self.chance.random() < 0.5:
            path.mkdir()
        else:
            copy = self.fleet.folder / "copy"
            copy.write_bytes(content)
            path.symlink_to(copy)
        return [number]

    def deleted_files(self):
        numbers = self.chance.sample(range(len(SIZES)), self.chance.randrange(1, 4))
        for number in numbers:
            self.fleet.files[number].unlink()
        return numbers

    def extra_files(self):
        for folder in ("", "versions", "staging", "catalogue"):
            (self.fleet.vault / folder / f"x{self.chance.random()}").write_bytes(b"extra")
        return []


CLASSES = [name for name in vars(Damages) if not name.startswith("_")]


def harm_core(fleet, other, chance):
    """Damages what a start reads; returns a function that takes it back."""
    catalogue = sorted(path for path in (fleet.vault / "catalogue").iterdir()
                       if len(path.name) == 16)
    path = chance.choice([fleet.vault / "store", *catalogue])
    content = path.read_bytes()
    way = chance.choice(("flip", "cut", "extend", "foreign", "delete", "link", "whole"))
    if way == "whole":
        shutil.move(fleet.vault / "catalogue", fleet.folder / "aside")
        return way, lambda: shutil.move(fleet.folder / "aside", fleet.vault / "catalogue")
    if way == "delete" and path == catalogue[-1] and len(catalogue) > 1:
        path = catalogue[0]  # the newest one gone is a rollback, which an anchor is for
        content = path.read_bytes()
    path.unlink()
    if way == "flip":
        place = chance.randrange(len(content))
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1:])
    elif way == "cut":
        path.write_bytes(content[:chance.randrange(len(content))])
    elif way == "extend":
        path.write_bytes(content + b"more")
    elif way == "foreign":
        path.write_bytes((other.vault / path.relative_to(fleet.vault)).read_bytes())
    elif way == "link":
        (fleet.folder / "copy").write_bytes(content)
        path.symlink_to(fleet.folder / "copy")

    def undo():
        path.unlink(missing_ok=True)
        path.write_bytes(content)
    return f"{way} {path.relative_to(fleet.vault)}", undo


def under_way(fleet, damages, count, chance):
    """Damages versions `count` times under the running server; returns what went wrong."""
    wrong = []
    for i in range(count):
        name = CLASSES[i % len(CLASSES)]
        hurt = getattr(damages, name)()
        whole = chance.choice([each for each in range(len(SIZES)) if each not in hurt])
        wrong += [f"{name}: m{each} not refused" for each in hurt if not fleet.refused(each)]
        if not fleet.served(whole):
            wrong.append(f"{name}: m{whole} not served beside it")
        for each in hurt:
            fleet.restore(each)
        wrong += [f"{name}: m{each} not served again" for each in hurt if not fleet.served(each)]
        if fleet.server.process.poll() is not None:
            raise AssertionError(f"{name}: the server ended")
    return wrong


def at_the_start(fleet, other, count, chance):
    """Damages what a start reads, `count` times; returns what went wrong."""
    wrong = []
    for _ in range(count):
        way, undo = harm_core(fleet, other, chance)
        try:
            Server(PROGRAMS, fleet.folder, config=fleet.config).stop()
            wrong.append(f"{way}: started")
        except RuntimeError as refusal:
            if not any(word in str(refusal) for word in CLEAR):
                wrong.append(f"{way}: {refusal}")
        undo()
    return wrong


def tamper(folder, count, seed):
    """Damages a store `count` times, a tenth of them at starts; returns what went wrong."""
    chance = random.Random(seed)
    other = Fleet(folder / "other")
    other.stop()
    fleet = Fleet(folder / "main")
    starts = max(count // 10, 1)
    wrong = under_way(fleet, Damages(fleet, other, chance), count - starts, chance)
    if fleet.stop() != 0:
        wrong.append("the server did not end well")
    wrong += at_the_start(fleet, other, starts, chance)
    fleet.start()
    wrong += [f"m{each} not served in the end" for each in fleet.files if not fleet.served(each)]
    fleet.stop()
    return wrong
