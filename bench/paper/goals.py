"""What the figures are held to."""

import statistics

import trusted_base
from figures import geometric_mean, interval, ratios

LARGE_MS = 60.0  # from here on a model is held to a ratio as well
RATIO_GOAL = 1.02
FLOOR_GOAL_MS = 0.3
COLD_GOAL = 0.60
COLD_PAPER_GOAL = 0.50
BASE_GOAL_MB = 48.0
OURS = "cloister-process"
NO_SERVERS = ("direct", "floor", "cloister-process", "cloister-inline")


def column(record, part, key, name="wall"):
    return [each[name] for each in record[part][key]]


def above_floor(record, key=OURS):
    """Of each round: what an exchange took beyond the direct run and the bare exchange."""
    return [ours - direct - bare for ours, direct, bare in zip(
        column(record, "hot", key), column(record, "hot", "direct"),
        column(record, "hot", "floor"))]


def own_share(record, key=OURS):
    """The same without the run's own noise: beyond the run that the server counted in this very
    exchange, and the bare exchange."""
    return [ours - inside - bare for ours, inside, bare in zip(
        column(record, "hot", key), column(record, "hot", key, "inside"),
        column(record, "hot", "floor"))]


def middle(values):
    return statistics.median(values)


def line(name, figure, wanted, met):
    return {"text": f"{name}: {figure} (goal {wanted}) -- {'met' if met else 'MISSED'}",
            "met": met}


def _each(name, rows, unit, bound):
    """Every model that misses the goal, or the one that is nearest to it. A row: model, values of
    the rounds, what else is to be said of it."""
    judged = sorted(((middle(values), *interval(values), model, note)
                     for model, values, note in rows), reverse=True)
    missed = [row for row in judged if row[0] > bound]
    said = [f"{model} {value:.3f}{unit} (95 % {low:.3f} to {high:.3f}{note})"
            for value, low, high, model, note in missed or judged[:1]]
    figure = (f"{len(judged) - len(missed)} of {len(judged)} models, "
              f"{'not' if missed else 'the highest'} {', '.join(said)}")
    return line(f"paper: {name}", figure, f"at most {bound}{unit}", not missed)


def hot_goals(records):
    large = []
    for record in records:
        direct = column(record, "hot", "direct")
        if middle(direct) >= LARGE_MS:
            alone = middle(ratios(column(record, "hot", "floor"), direct))
            large.append((record["model"], ratios(column(record, "hot", OURS), direct),
                          f"; bare TLS with the same bytes alone adds {alone:.3f}"))
    lines = []
    if large:
        lines.append(_each("hot over TLS, of the runtime called directly, models of 60 ms and more",
                           large, "", RATIO_GOAL))
    for name, of in (("hot, above the floor (direct run and bare TLS)", above_floor),
                     ("hot, above the floor, the run as the server counted it", own_share)):
        rows = [(record["model"], of(record), "") for record in records]
        lines.append(_each(name, rows, " ms", FLOOR_GOAL_MS))
    return lines


def fastest_goal(records):
    """Every other server in every row, as the ratio of one round."""
    rows = []
    for record in records:
        for part in ("hot", "cold"):
            for key in record[part]:
                if key in NO_SERVERS or not record[part][key]:
                    continue
                values = ratios(column(record, part, OURS), column(record, part, key))
                rows.append((f"{record['model']} {part} against {key}", middle(values),
                             interval(values)))
    if not rows:
        return []
    rows.sort(key=lambda row: -row[1])
    slower = [row for row in rows if row[1] >= 1]
    said = [f"{value:.3f} (95 % {low:.3f} to {high:.3f}) {name}"
            for name, value, (low, high) in slower or rows[:1]]
    which = "not" if slower else "the closest"
    figure = f"{len(rows) - len(slower)} of {len(rows)} rows, {which} {', '.join(said)}"
    return [line("paper: faster than every other server", figure, "every row", not slower)]


def cold_goals(records):
    lines = []
    for key, name, bound in (("direct", "the runtime's plain cold start", COLD_GOAL),
                             ("paper-design", "the paper's design", COLD_PAPER_GOAL)):
        values = [middle(ratios(column(record, "cold", OURS), column(record, "cold", key)))
                  for record in records if record["cold"].get(key)]
        if values:
            mean = geometric_mean(values)
            lines.append(line(f"paper: cold from the sealed store, of {name}, geometric mean of "
                              f"{len(values)}", f"{mean:.3f}, {min(values):.2f} to "
                              f"{max(values):.2f}", f"at most {bound}", mean <= bound))
    return lines


def base_goal(records):
    files = trusted_base.together(records[0]["mapped"][OURS])
    size = trusted_base.total(files) / 1e6
    return [line("paper: trusted base, bytes of every file mapped into server and sandbox",
                 f"{size:.1f} MB", f"below {BASE_GOAL_MB:.0f} MB", size < BASE_GOAL_MB)]


def judge(records):
    return hot_goals(records) + fastest_goal(records) + cold_goals(records) + base_goal(records)
