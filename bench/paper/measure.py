"""One model, all contestants: rounds hot and cold, memory, what is mapped."""

import contextlib
import random
import subprocess
import threading
import time

import numpy
from contestants import Bare, Cloister
from figures import spread
from machine import cpu_seconds, family_memory, wait_until_idle
from trusted_base import mapped_files

SPREAD_MOST = 0.10  # inter-quartile range over the median, as the paper bounds it
REPEATS_MOST = 2
SAID_EVERY = 5  # rounds
DIFFERENCE_MOST = 1e-3  # between answers, relative to the largest value
NEEDED = ("direct", "cloister-process")  # without them there is nothing to compare
FAILURES = (RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError)


class Agreement(RuntimeError):
    """A contestant that answers something else is not compared."""


def check_answers(expected, contestant):
    given = contestant.answer()
    if len(given) < len(expected):
        raise Agreement(f"{contestant.key}: {len(given)} outputs instead of {len(expected)}")
    for wanted, array in zip(expected, given):
        difference = numpy.abs(array.reshape(wanted.shape) - wanted).max()
        if not difference <= DIFFERENCE_MOST * numpy.abs(wanted).max():
            raise Agreement(f"{contestant.key}: answers differ by {difference}")


def timed(contestant, cold):
    """Wall and CPU time of one turn in milliseconds."""
    if cold:
        contestant.chill()
    pids = contestant.pids()
    used = cpu_seconds(pids)
    sample = {"wall": contestant.first() if cold else contestant.ask()}
    sample["cpu"] = (cpu_seconds(pids) - used) * 1e3
    if cold:
        contestant.forget()
    elif isinstance(contestant, Cloister):
        # Not asked before a turn as well: it would warm this server up, and no other. What the
        # first turn counts too much is dropped with it.
        sample["inside"] = contestant.computed() / 1e6
    return sample


class Entered:
    """Who takes part. A contestant that fails is stopped and named, and the others go on."""

    def __init__(self, model, record, say):
        self.contestants = []
        self._failed = record["failed"]
        self.say = lambda text: say(f"{model.name}: {text}")

    def leave_out(self, contestant, when, problem):
        if contestant in self.contestants:
            self.contestants.remove(contestant)
        with contextlib.suppress(AttributeError, *FAILURES):  # it may have started in part only
            contestant.stop()
        if contestant.key in NEEDED:
            raise RuntimeError(f"{contestant.key}, {when}: {problem}") from problem
        self._failed[contestant.key] = f"{when}: {problem}"
        self.say(f"WITHOUT {contestant.label}, {when}: {problem}")

    def stop(self):
        for contestant in self.contestants:
            with contextlib.suppress(*FAILURES):  # else the first one would hide
                contestant.stop()
        self.contestants = []


def in_rounds(entered, floor, rounds, dropped, cold, order):
    """Samples by contestant, one of each a round, in random order; the first rounds dropped."""
    placement = "from disk" if cold else "in memory"
    samples = {contestant.key: [] for contestant in entered.contestants}
    samples["floor"] = []
    turns = list(entered.contestants)
    for number in range(rounds):
        if number % SAID_EVERY == 0:
            entered.say(f"{placement}, {len(turns)} contestants, round {number + 1} of {rounds}")
        order.shuffle(turns)
        for contestant in list(turns):
            try:
                sample = timed(contestant, cold)
            except FAILURES as problem:
                entered.leave_out(contestant, placement, problem)
                turns.remove(contestant)
                del samples[contestant.key]
                continue
            if number >= dropped:
                samples[contestant.key].append(sample)
            if contestant.key == "direct" and not cold:
                taken = floor.ask()
                if number >= dropped:
                    samples["floor"].append({"wall": taken})
    return samples


def widest(samples, keys):
    return max(spread([each["wall"] for each in samples[key]]) for key in keys)


def steady_rounds(entered, floor, settings, cold, seed):
    """Repeats the rounds while the times that decide are spread too widely; keeps the steadiest.

    Returns the samples and what was repeated.
    """
    order = random.Random(seed)
    best, seen = None, []
    while True:
        began = time.monotonic()
        samples = in_rounds(entered, floor, settings.cold_rounds if cold else settings.rounds,
                            settings.dropped, cold, order)
        seen.append(round(widest(samples, NEEDED), 4))
        if best is None or seen[-1] == min(seen):
            best = samples
        if seen[-1] <= SPREAD_MOST or len(seen) > REPEATS_MOST:
            break
        if not settings.time_for(time.monotonic() - began):
            break
        entered.say(f"spread {seen[-1]:.0%}, once more")
    return best, {"spread": min(seen), "repeated": len(seen) - 1, "all": seen}


class Peak:
    """The highest proportional memory of a family of processes while this is open."""

    def __init__(self, pid):
        self._pid, self.bytes = pid, 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self._done.wait(0.005):
            self.bytes = max(self.bytes, family_memory(self._pid))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


def first_use(contestant):
    """Bytes without the model, at most while it is loaded and asked, and a while afterwards: the
    first use since the server's start, before freed memory of earlier ones is kept."""
    wait_until_idle(contestant.pid)
    empty = family_memory(contestant.pid)
    with Peak(contestant.pid) as peak:
        contestant.first()
        contestant.settle()
    loaded = family_memory(contestant.pid)
    return {"empty": empty, "peak": max(peak.bytes, loaded), "loaded": loaded}


def start_all(place, model, kinds, entered, record):
    """Enters those who can serve this model, each with its answers checked and its memory taken."""
    expected = None
    for kind in kinds:
        contestant = kind(place, model)
        entered.say(f"starting {contestant.label}")
        try:
            contestant.start()
            record["memory"][kind.key] = first_use(contestant)
            if expected is None:
                expected = contestant.answer()
            check_answers(expected, contestant)
            entered.contestants.append(contestant)
        except FAILURES as problem:
            record["memory"].pop(kind.key, None)
            entered.leave_out(contestant, "at the start", problem)


def measure(place, model, kinds, settings, say):
    """Everything of one model, as plain numbers. Fails where a contestant fails that is NEEDED."""
    record = {"model": model.name, "bytes": model.bytes, "parameters": model.parameters,
              "output_bytes": model.output_bytes(), "failed": {}, "memory": {}}
    entered = Entered(model, record, say)
    try:
        return measured(place, model, kinds, entered, record, settings)
    finally:
        entered.stop()


def measured(place, model, kinds, entered, record, settings):
    start_all(place, model, kinds, entered, record)
    record["mapped"] = {
        each.key: [mapped_files(pid, "server" if pid == each.pid else "worker", place.folder)
                   for pid in each.pids()] for each in entered.contestants}
    record["stored"] = {each.key: each.stored_bytes() for each in entered.contestants
                        if isinstance(each, Cloister)}
    floor = Bare(place, model, model.output_bytes() + 128 * len(model.outputs))
    try:
        floor.ask()
        record["hot"], record["hot_guard"] = steady_rounds(entered, floor, settings, False,
                                                           model.name)
    finally:
        floor.stop()
    for contestant in list(entered.contestants):
        if contestant.starts_cold:
            contestant.forget()
        else:
            contestant.stop()
            entered.contestants.remove(contestant)
    record["cold"], record["cold_guard"] = steady_rounds(entered, None, settings, True, model.name)
    return record
