"""What every benchmark does with its numbers: medians, spreads and goals, said the same way."""

import random
import statistics


def quartiles(values):
    """The first quartile, the median and the third quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    first, middle, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, middle, third


def describe(name, values, unit, scale=1.0, digits=3):
    """One line: the median and the quartiles around it."""
    first, middle, third = (value * scale for value in quartiles(values))
    spread = f"quartiles {first:.{digits}f} to {third:.{digits}f}"
    return f"{name}: {middle:.{digits}f} {unit} ({spread})"


def interleaved(subjects, rounds, seed=1):
    """Calls each of `subjects` (name: function to a number) once a round, in random order.

    Returns the numbers by name, round by round, so that they can be compared in pairs.
    """
    order = random.Random(seed)
    names = list(subjects)
    results = {name: [] for name in names}
    for _ in range(rounds):
        order.shuffle(names)
        for name in names:
            results[name].append(subjects[name]())
    return results


def goal(text, value, bound):
    """Prints a goal's line and returns whether it was met."""
    met = value <= bound
    print(f"{text} -- {'met' if met else 'MISSED'}")
    return met
