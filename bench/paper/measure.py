"""One model, all contestants: rounds hot and cold, memory, what is mapped."""

import contextlib
import random
import threading
import time

import numpy
from contestants import Bare, Cloister
from figures import spread
from machine import cpu_seconds, family, family_memory, wait_until_idle
from trusted_base import mapped_files

SPREAD_MOST = 0.10  # inter-quartile range over the median, as the paper bounds it
REPEATS_MOST = 2
DIFFERENCE_MOST = 1e-3  # between answers, relative to the largest value


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


def one_sample(contestant, work):
    """Wall and CPU time in milliseconds; for Cloister also what its runs took by its own count."""
    counts = isinstance(contestant, Cloister)
    before = contestant.computing() if counts else 0
    pids = contestant.pids()
    used = cpu_seconds(pids)
    sample = {"wall": work()}
    sample["cpu"] = (cpu_seconds(pids) - used) * 1e3
    if counts:
        sample["inside"] = (contestant.computing() - before) / 1e6
    return sample


def in_rounds(contestants, floor, rounds, dropped, cold, order):
    """Samples by contestant, one of each a round, in random order; the first rounds dropped."""
    samples = {contestant.key: [] for contestant in contestants}
    samples["floor"] = []
    turns = list(contestants)
    for number in range(rounds):
        order.shuffle(turns)
        for contestant in turns:
            if cold:
                contestant.chill()
            sample = one_sample(contestant, contestant.first if cold else contestant.ask)
            if cold:
                contestant.forget()
            if number >= dropped:
                samples[contestant.key].append(sample)
            if contestant.key == "direct" and not cold:
                taken = floor.ask()
                if number >= dropped:
                    samples["floor"].append({"wall": taken})
    return samples


def widest(samples, keys):
    return max(spread([each["wall"] for each in samples[key]]) for key in keys)


def steady_rounds(contestants, floor, settings, cold, seed):
    """Repeats the rounds while the times that decide are spread too widely; keeps the steadiest.

    Returns the samples and what was repeated.
    """
    order = random.Random(seed)
    decide = [contestant.key for contestant in contestants
              if contestant.key in ("direct", "cloister-process")]
    best, seen = None, []
    for _ in range(1 + REPEATS_MOST):
        began = time.monotonic()
        samples = in_rounds(contestants, floor, settings.cold_rounds if cold else settings.rounds,
                            settings.dropped, cold, order)
        seen.append(round(widest(samples, decide), 4))
        if best is None or seen[-1] == min(seen):
            best = samples
        if seen[-1] <= SPREAD_MOST or not settings.time_for(time.monotonic() - began):
            break
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


def start_all(place, model, kinds, started, record, say):
    """Adds to `started` those who can serve this model, each with its answers checked, to `record`
    their memory, and the others with the reason."""
    expected = None
    for kind in kinds:
        contestant = kind(place, model)
        say(f"{model.name}: starting {contestant.label}")
        try:
            contestant.start()
            record["memory"][kind.key] = first_use(contestant)
            if expected is None:
                expected = contestant.answer()
            check_answers(expected, contestant)
        except (Agreement, RuntimeError, OSError) as problem:
            if expected is None:
                raise
            record["failed"][kind.key] = str(problem)
            say(f"{model.name}: WITHOUT {contestant.label}: {problem}")
            with contextlib.suppress(AttributeError, RuntimeError, OSError):
                contestant.stop()
            continue
        started.append(contestant)


def measure(place, model, kinds, settings, say):
    """Everything of one model, as plain numbers."""
    contestants = []
    try:
        return measured(place, model, kinds, contestants, settings, say)
    finally:
        for contestant in contestants:
            with contextlib.suppress(RuntimeError, OSError):  # else the first one would hide
                contestant.stop()


def measured(place, model, kinds, contestants, settings, say):
    record = {"model": model.name, "bytes": model.bytes, "parameters": model.parameters,
              "output_bytes": model.output_bytes(), "failed": {}, "memory": {}}
    start_all(place, model, kinds, contestants, record, say)
    record["mapped"] = {each.key: [mapped_files(pid) for pid in family(each.pid)]
                        for each in contestants}
    record["stored"] = {each.key: each.stored_bytes() for each in contestants
                        if isinstance(each, Cloister)}
    say(f"{model.name}: {settings.rounds} rounds in memory, {len(contestants)} contestants")
    floor = Bare(place, model, model.output_bytes() + 128 * len(model.outputs))
    floor.ask()
    record["hot"], record["hot_guard"] = steady_rounds(contestants, floor, settings, False,
                                                       model.name)
    floor.stop()
    chilled = [each for each in contestants if each.starts_cold]
    for contestant in contestants:
        if contestant.starts_cold:
            contestant.forget()
        else:
            contestant.stop()
    contestants[:] = chilled
    say(f"{model.name}: {settings.cold_rounds} rounds from disk, {len(chilled)} contestants")
    record["cold"], record["cold_guard"] = steady_rounds(chilled, None, settings, True, model.name)
    return record
