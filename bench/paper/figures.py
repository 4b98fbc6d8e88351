"""What is made of the numbers: medians, spreads, intervals."""

import math
import statistics


def _rank(count):
    """The rank k from below for which (k-th smallest, k-th largest) holds the median with at least
    95 %, whatever the distribution; 0 where there are too few numbers."""
    below, rank = 0.0, 0
    for k in range(count // 2 + 1):
        below += math.comb(count, k) / 2**count
        if below > 0.025:
            break
        rank = k + 1
    return rank


def interval(values):
    """The 95 % confidence interval of the median; the whole range where that needs more numbers."""
    ordered = sorted(values)
    rank = max(1, _rank(len(ordered)))
    return ordered[rank - 1], ordered[-rank]


def summary(values):
    """Of numbers in any unit."""
    first, _, third = (statistics.quantiles(values, n=4, method="inclusive")
                       if len(values) > 1 else (values[0],) * 3)
    low, high = interval(values)
    return {"count": len(values), "median": statistics.median(values), "first_quartile": first,
            "third_quartile": third, "iqr": third - first,
            "deviation": statistics.stdev(values) if len(values) > 1 else 0.0,
            "low": low, "high": high}


def spread(values):
    """The inter-quartile range as a share of the median, as the paper bounds it."""
    of = summary(values)
    return of["iqr"] / of["median"] if of["median"] else 0.0


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


def ratios(above, below):
    return [a / b for a, b in zip(above, below)]
