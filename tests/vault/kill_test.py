"""kill -9 at seeded random times while a store is changed, on real files.

    python3 -m vault.kill_test --cycles 500    (./dev soak)

Every acknowledged upload must be there byte for byte, no other one half-there, and nothing else in
the folder after a restart. Prints how far the killed processes were.
"""

import argparse
import collections
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import unittest

from vault.tool import PROGRAM, check

CYCLES_PER_STORE = 10
LIFE_MAX_S = 0.12


class Story:
    """What one store's killed processes said, and what must hold of it."""

    def __init__(self):
        self.must, self.may, self.gone = set(), set(), set()
        self.records = {b""}
        self.next = 1

    def hear(self, lines):
        """Returns the step that was under way in the end."""
        step = "between changes"
        for line in lines:
            word, what, *rest = line.split()
            if word == "call":
                step = step.split(",")[0] + ", " + " ".join([what, *rest])
                continue
            number = int(rest[0])
            getattr(self, f"{word}_{what}")(number)
            step = what if word == "begin" else "between changes"
        return step

    def begin_upload(self, number):
        self.may.add(number)
        self.next = number + 1

    def done_upload(self, number):
        self.must.add(number)

    def begin_erase(self, number):
        self.must.discard(number)

    def done_erase(self, number):
        self.may.discard(number)
        self.gone.add(number)

    def begin_record(self, number):
        self.records = self.records | {str(number).encode()}

    def done_record(self, number):
        self.records = {str(number).encode()}

    def settle(self, folder):
        """Restarts on the store, compares, and takes what is there for the new truth."""
        said = check(folder)
        found = set(said.versions)
        problems = list(said.wrong)
        problems += [f"lost {number}" for number in self.must - found]
        problems += [f"unexpected {number}" for number in found - self.may]
        if said.record not in self.records:
            problems.append("lost the record")
        files = sorted(path.name for path in (folder / "versions").iterdir())
        if len(files) != len(found):
            problems.append(f"{len(files)} files for {len(found)} versions")
        problems += [f"orphan {path.name}" for path in (folder / "staging").iterdir()]
        problems += [f"orphan {path.name}" for path in folder.rglob("*.new")]
        self.must, self.may, self.records = found, set(found), {said.record}
        return problems


def life(folder, seed, story, seconds, started=False):
    """Runs one process, kills it after `seconds` of life (or, if `started`, of changes), and
    returns the step it was in."""
    process = subprocess.Popen([PROGRAM, "change", folder, str(seed), str(story.next)],
                               stdout=subprocess.PIPE, text=True)
    text = ""
    while started and not text.endswith("\nbegin upload %d\n" % story.next):
        line = process.stdout.readline()
        assert line, "ended by itself"
        text += line
    try:
        process.wait(timeout=seconds)
        raise AssertionError(f"ended by itself: {process.returncode}")
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    text += process.stdout.read()
    process.stdout.close()
    process.wait()
    return story.hear(text.split("\n")[:-1])


def cycles(count, seed):
    """Kills `count` times; returns problems and a histogram of steps."""
    chance = random.Random(seed)
    problems, steps = [], collections.Counter()
    done = 0
    while done < count:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name) / "store"
            story = Story()
            while not (folder / "store").exists():  # a first life that comes to make the store
                steps[life(folder, seed + done, story, 0.2)] += 1
                done += 1
            for _ in range(CYCLES_PER_STORE):
                problems += story.settle(folder)
                started = chance.random() < 0.8
                seconds = chance.uniform(0.001, LIFE_MAX_S)
                steps[life(folder, seed + done, story, seconds, started)] += 1
                done += 1
            problems += story.settle(folder)
    return problems, steps


class KillTest(unittest.TestCase):
    def test_keeps_what_was_acknowledged(self):
        problems, steps = cycles(20, 1)
        self.assertEqual(problems, [], steps)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    problems, steps = cycles(arguments.cycles, arguments.seed)
    for step, count in steps.most_common():
        print(f"{count:5} {step}")
    within = sum(count for step, count in steps.items()
                 if ", " in step and not step.startswith("between"))
    print(f"kills: {sum(steps.values())}, between a first write and its answer: {within}")
    print("problems:", problems or "none")
    return 1 if problems or within < arguments.cycles * 2 // 5 else 0


if __name__ == "__main__":
    sys.exit(main())
