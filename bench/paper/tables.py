"""The tables, as Markdown and CSV, named after the paper's."""

import csv

import trusted_base
from figures import ratios, summary
from goals import above_floor, column, middle, own_share

MIB = 1 << 20


def write(result, out):
    """One file of each kind for every table, and all of them in `tables.md`."""
    chapters = [("Machine and settings", settings_text(result))]
    for name, title, head, rows in all_tables(result):
        with open(out / f"{name}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(head)
            writer.writerows(rows)
        text = markdown(head, rows)
        (out / f"{name}.md").write_text(f"# {title}\n\n{text}")
        chapters.append((title, text))
    chapters.append(("Goals", "".join(f"- {line['text']}\n" for line in result["goals"])))
    chapters.append(("Noise", noise_text(result)))
    (out / "tables.md").write_text("".join(f"## {title}\n\n{text}\n" for title, text in chapters))


def all_tables(result):
    records, labels = result["records"], result["facts"]["contestants"]
    yield ("table-latency-memory", "End-to-end latency, model in memory (ms)",
           *latency(records, labels, "hot"))
    yield ("table-latency-disk", "End-to-end latency, model on disk: cold start (ms)",
           *latency(records, labels, "cold"))
    yield "table-overhead", "What Cloister adds, hot", *overhead(records)
    yield "table-ratios", "Cloister (process) of each other, by round", *compared(records, labels)
    yield "table-memory", "Memory (MiB)", *memory(records, labels)
    yield "figure-1-trusted-base", "Trusted base by file (bytes)", *base(records, labels)
    yield "figure-1-image", "Trusted base and image by contestant (MB)", *images(result)


def markdown(head, rows):
    lines = ["| " + " | ".join(map(str, line)) + " |" for line in
             (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def latency(records, labels, part):
    """A row for each model and contestant."""
    head = ["model", "contestant", "runs", "median", "IQR", "standard deviation",
            "95 % from", "95 % to", "CPU, median"]
    rows = []
    for record in records:
        for key, label in {**labels, "floor": "bare TLS, same bytes"}.items():
            if not record[part].get(key):
                continue
            of = summary(column(record, part, key))
            # From disk it would hold the start of Cloister's next worker, behind the answer.
            used = ("" if key == "floor" or part == "cold"
                    else f"{middle(column(record, part, key, 'cpu')):.2f}")
            rows.append([record["model"], label, of["count"], *(f"{of[name]:.2f}" for name in (
                "median", "iqr", "deviation", "low", "high")), used])
    return head, rows


def overhead(records):
    head = ["model", "mode", "of direct", "95 %", "of direct, CPU", "above the floor, ms", "95 %",
            "the same, run as counted, ms", "95 %"]
    rows = []
    for record in records:
        for key in ("cloister-process", "cloister-inline"):
            if key not in record["hot"]:
                continue
            of = summary(ratios(column(record, "hot", key), column(record, "hot", "direct")))
            used = ratios(column(record, "hot", key, "cpu"),
                          column(record, "hot", "direct", "cpu"))
            floor, own = summary(above_floor(record, key)), summary(own_share(record, key))
            rows.append([record["model"], key.removeprefix("cloister-"), f"{of['median']:.3f}",
                         f"{of['low']:.3f} to {of['high']:.3f}", f"{middle(used):.3f}",
                         f"{floor['median']:.2f}", f"{floor['low']:.2f} to {floor['high']:.2f}",
                         f"{own['median']:.2f}", f"{own['low']:.2f} to {own['high']:.2f}"])
    return head, rows


def compared(records, labels):
    head = ["model", "placement", "against", "ratio", "95 % from", "95 % to"]
    rows = []
    for record in records:
        for part, placement in (("hot", "memory"), ("cold", "disk")):
            for key, label in labels.items():
                if key == "cloister-process" or not record[part].get(key):
                    continue
                of = summary(ratios(column(record, part, "cloister-process"),
                                    column(record, part, key)))
                rows.append([record["model"], placement, label, *(
                    f"{of[name]:.3f}" for name in ("median", "low", "high"))])
    return head, rows


def memory(records, labels):
    head = ["model", "file", "contestant", "without the model", "peak while loading and answering",
            "loaded"]
    rows = []
    for record in records:
        for key, of in record["memory"].items():
            rows.append([record["model"], f"{record['bytes'] / MIB:.0f}", labels[key], *(
                f"{of[name] / MIB:.0f}" for name in ("empty", "peak", "loaded"))])
    return head, rows


def base(records, labels):
    head = ["contestant", "file", "bytes", "mapped by"]
    rows = []
    for key, processes in records[0]["mapped"].items():
        for path, entry in trusted_base.together(processes).items():
            rows.append([labels[key], path, entry["bytes"], " and ".join(entry["in"])])
    return head, rows


def images(result):
    head = ["contestant", "files mapped", "bytes mapped, MB", "image: all files shipped, MB"]
    rows = []
    for key, processes in result["records"][0]["mapped"].items():
        files = trusted_base.together(processes)
        image = result["facts"].get("images", {}).get(key)
        rows.append([result["facts"]["contestants"][key], len(files),
                     f"{trusted_base.total(files) / 1e6:.1f}",
                     f"{image / 1e6:.1f}" if image else ""])
    return head, rows


def settings_text(result):
    facts = result["facts"]
    of, settings = facts["machine"], facts["settings"]
    lines = [f"{of['date']}; commit {of['commit']}, {of['changed_files']} files changed",
             f"{of['processor']}, {of['cores']} cores ({' '.join(of['flags'])}), "
             f"{of['memory_gib']} GiB; {of['system']}, Linux {of['kernel']}; huge pages "
             f"{of['huge_pages']}, for shared memory {of['shared_huge_pages']}; {of['openssl']}; "
             f"{of['compiler']}",
             f"client on core {facts['cores'][0]}, servers on core {facts['cores'][1]}; ONNX "
             f"Runtime {facts['versions']['runtime']}, one thread",
             f"{settings['rounds']} rounds in memory, {settings['cold_rounds']} from disk, the "
             f"first {settings['dropped']} dropped; all models together took "
             f"{facts['minutes']} minutes",
             "versions: " + ", ".join(f"{name} {version}" for name, version in
                                      facts["versions"]["packages"].items())]
    if facts["kept"]:
        lines.append("measured in an earlier run of the same build on this machine: " +
                     ", ".join(facts["kept"]))
    lines += [f"left out: {line}" for line in facts["left_out"]]
    return "".join(f"- {line}\n" for line in lines)


def noise_text(result):
    head = ["model", "spread in memory", "repeated", "spread from disk", "repeated",
            "load average", "from", "minutes"]
    rows = [[record["model"], f"{record['hot_guard']['spread']:.1%}",
             record["hot_guard"]["repeated"], f"{record['cold_guard']['spread']:.1%}",
             record["cold_guard"]["repeated"],
             " to ".join(f"{load:.2f}" for load in record["load_average"]), record["date"],
             f"{record['minutes']:.1f}"] for record in result["records"]]
    return ("The inter-quartile range over the median, the wider of the direct run's and "
            "Cloister's; above 10 % the rounds are repeated and the steadiest kept.\n\n"
            + markdown(head, rows))
