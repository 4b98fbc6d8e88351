"""Draws the plots, each as SVG and PNG: plots.py FOLDER EPC_CSV.

FOLDER holds result.json; EPC_CSV is what `./dev bench epc` writes, if it was run.
"""

import csv
import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plot  # noqa: E402
import trusted_base  # noqa: E402
from figures import ratios, summary  # noqa: E402
from goals import BASE_GOAL_MB, column  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.patches import Patch  # noqa: E402

# Distinguishable without colour vision; Cloister's are the dark ones.
COLOURS = {"direct": "#000000", "cloister-process": "#0072B2", "cloister-inline": "#56B4E9",
           "paper-design": "#D55E00", "rust-ort": "#009E73", "rust-tract": "#CC79A7",
           "kserve": "#E69F00"}
MARKS = {"direct": "|", "cloister-process": "o", "cloister-inline": "s", "paper-design": "D",
         "rust-ort": "^", "rust-tract": "v", "kserve": "P"}
MIB = 1 << 20
PAPER_IMAGE_MB = (250, 300)


def save(figure, out, name):
    for kind in ("svg", "png"):
        figure.savefig(out / f"{name}.{kind}", dpi=130, bbox_inches="tight", facecolor="white")
    plot.close(figure)


def footer(figure, result, part):
    of, settings = result["facts"]["machine"], result["facts"]["settings"]
    rounds = settings["cold_rounds" if part == "cold" else "rounds"]
    figure.text(0.01, -0.1 / figure.get_figheight(),
                f"{of['processor']}, one core, ONNX Runtime 1.27.0, one thread; "
                f"{of['date']}, commit {of['commit']}; {rounds} interleaved rounds, "
                f"first {settings['dropped']} dropped", fontsize=8, color="#555555", va="top")


def dots(axes, records, keys, of):
    """A row for each model, a dot with its 95 % interval for each contestant."""
    for row, record in enumerate(records):
        axes.axhspan(row - 0.5, row + 0.5, color="#f4f4f4" if row % 2 else "white", zorder=0)
        present = [key for key in keys if of(record, key)]
        for place, key in enumerate(present):
            point = summary(of(record, key))
            y = row + 0.36 - 0.72 * (place + 0.5) / len(present)
            axes.plot([point["low"], point["high"]], [y, y], color=COLOURS[key], linewidth=2)
            axes.plot(point["median"], y, MARKS[key], color=COLOURS[key], markersize=7)
    axes.set_yticks(range(len(records)), [record["model"] for record in records])
    axes.set_ylim(-0.5, len(records) - 0.5)
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)


def log_ticks(axes, ticks):
    """A logarithmic axis with these of the ticks that it reaches, as plain numbers."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in ticks if low <= tick <= high])
    axes.get_xaxis().set_major_formatter("{x:g}")
    axes.get_xaxis().set_minor_formatter("")


def legend_above(figure, handles):
    """Below the title, whatever the figure's height."""
    figure.legend(handles=handles, ncols=len(handles), loc="upper left", fontsize=9, frameon=False,
                  bbox_to_anchor=(0.0, 1 - 0.35 / figure.get_figheight()))


def latency(result, out, part, name, title, unit_title):
    """Left the times, right the same as a multiple of the runtime called directly."""
    labels = result["facts"]["contestants"]
    keys = [key for key in labels if any(record[part].get(key) for record in result["records"])]
    records = sorted(result["records"], reverse=True,
                     key=lambda record: summary(column(record, part, "direct"))["median"])
    figure, (left, right) = plot.subplots(
        1, 2, sharey=True, figsize=(13, 1.9 + 0.13 * len(keys) * len(records)),
        gridspec_kw={"wspace": 0.04})
    height = figure.get_figheight()

    def times(record, key):
        return column(record, part, key) if record[part].get(key) else []

    def multiples(record, key):
        return ratios(times(record, key), times(record, "direct"))

    dots(left, records, keys, times)
    log_ticks(left, [step * 10**power for power in range(5) for step in (1, 2, 5)])
    left.set_xlabel(unit_title)
    dots(right, records, [key for key in keys if key != "direct"], multiples)
    right.axvline(1, color=COLOURS["direct"], linewidth=1)
    right.set_xlabel("multiple of the runtime called directly, by round (log)")
    log_ticks(right, [0.2, 0.3, 0.5, 0.7, 1, 1.2, 1.5, 2, 3, 5, 10])
    figure.suptitle(title, x=0.01, ha="left", fontsize=14, y=1 - 0.05 / height, va="top")
    legend_above(figure, [Line2D([], [], color=COLOURS[key], marker=MARKS[key], linewidth=2,
                                 markersize=7, label=labels[key]) for key in keys])
    figure.subplots_adjust(top=1 - 0.9 / height, bottom=0.6 / height)
    footer(figure, result, part)
    save(figure, out, name)


def memory(result, out):
    labels = result["facts"]["contestants"]
    records = sorted(result["records"], key=lambda record: -record["bytes"])
    keys = [key for key in labels if any(key in record["memory"] for record in records)]
    figure, axes = plot.subplots(figsize=(13, 1.9 + 0.15 * len(keys) * len(records)))
    height = figure.get_figheight()
    figure.subplots_adjust(top=1 - 0.9 / height, bottom=0.6 / height)
    for row, record in enumerate(records):
        axes.axhspan(row - 0.5, row + 0.5, color="#f4f4f4" if row % 2 else "white", zorder=0)
        axes.plot([record["bytes"] / MIB] * 2, [row - 0.45, row + 0.45], color="#999999",
                  linewidth=2, zorder=3)
        for place, key in enumerate(keys):
            if key not in record["memory"]:
                continue
            of = record["memory"][key]
            y = row + 0.36 - 0.72 * (place + 0.5) / len(keys)
            axes.barh(y, of["loaded"] / MIB, 0.72 / len(keys) * 0.85, color=COLOURS[key], zorder=2)
            axes.plot([of["loaded"] / MIB, of["peak"] / MIB], [y, y], color=COLOURS[key],
                      linewidth=1.5, marker="|", markevery=[1], zorder=2)
    axes.set_yticks(range(len(records)), [record["model"] for record in records])
    axes.set_ylim(-0.5, len(records) - 0.5)
    axes.set_xlabel("MiB of the server and its workers: bar loaded and idle, line to the peak "
                    "while loading")
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    figure.suptitle("Memory with one model loaded", x=0.01, ha="left", fontsize=14,
                    y=1 - 0.05 / height, va="top")
    legend_above(figure, [*(Patch(color=COLOURS[key], label=labels[key]) for key in keys),
                          Line2D([], [], color="#999999", linewidth=2, label="the model's file")])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    save(figure, out, "plot-memory")


def component(path):
    """What a mapped file is, for a reader who does not know library names."""
    words = (("libonnxruntime", "ONNX Runtime"), ("onnxruntime_pybind", "ONNX Runtime"),
             ("libcrypto", "OpenSSL"), ("libssl", "OpenSSL"), ("cloister", "the server itself"),
             ("rust-", "the server itself"), ("numpy", "NumPy"), ("libscipy_openblas", "NumPy"),
             ("python", "Python and packages"), ("_rust", "Python and packages"))
    for word, name in words:
        if word in path:
            return name
    return "other libraries"


def base(result, out):
    """The paper's Figure 1: what has to be trusted, by component."""
    labels = result["facts"]["contestants"]
    images = result["facts"].get("images", {})
    mapped = {key: trusted_base.together(processes)
              for key, processes in result["records"][0]["mapped"].items() if key != "direct"}
    names = ["the server itself", "ONNX Runtime", "OpenSSL", "other libraries", "NumPy",
             "Python and packages"]
    shades = ["#0072B2", "#999999", "#E69F00", "#CCCCCC", "#CC79A7", "#D55E00"]
    figure, axes = plot.subplots(figsize=(11, 1.8 + 0.75 * len(mapped)))
    for row, (key, files) in enumerate(reversed(mapped.items())):
        start = 0.0
        for name, shade in zip(names, shades):
            size = sum(entry["bytes"] for path, entry in files.items()
                       if part_of(path, entry) == name) / 1e6
            axes.barh(row, size, 0.5, left=start, color=shade,
                      label=name if row == 0 else None)
            start += size
        axes.text(start + 2, row, f"{start:.1f} MB", va="center", fontsize=10, zorder=4,
                  bbox={"color": "white", "pad": 1.5})
        if images.get(key, 0) / 1e6 > 1.1 * start:
            axes.barh(row, images[key] / 1e6, 0.72, facecolor="none", edgecolor="#555555",
                      linestyle="--")
            axes.text(images[key] / 1e6 + 2, row, f"image {images[key] / 1e6:.0f} MB", va="center",
                      fontsize=9, color="#555555")
    axes.axvline(BASE_GOAL_MB, color="black", linewidth=1, zorder=3)
    axes.text(BASE_GOAL_MB, len(mapped) - 0.47, f" goal {BASE_GOAL_MB:.0f} MB", fontsize=9)
    axes.axvspan(*PAPER_IMAGE_MB, color="#fbe3d3", zorder=0)
    axes.text(PAPER_IMAGE_MB[0], len(mapped) - 0.47, " the paper's image", fontsize=9)
    axes.set_yticks(range(len(mapped)), [labels[key] for key in reversed(mapped)])
    axes.set_xlabel("MB of files mapped into the processes (solid), of all files to ship, where "
                    "more (dashed)")
    axes.set_title("Trusted base by component: what runs where the secrets are", loc="left",
                   fontsize=14, pad=26)
    axes.set_ylim(-0.6, len(mapped) - 0.35)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, fontsize=9,
                frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    save(figure, out, "plot-trusted-base")


def part_of(path, entry):
    """A program or library in sealed memory has no path: the large one is the runtime."""
    if path.startswith("/memfd:"):
        return "ONNX Runtime" if entry["bytes"] > 5_000_000 else "the server itself"
    return component(path.split("/build/")[-1])


def enclave_memory(points, out):
    """Slowdown against the size of the enclave page cache, from `./dev bench epc`."""
    models = sorted({point["model"] for point in points})
    figure, axes = plot.subplots(figsize=(10, 5))
    for model, colour in zip(models, ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")):
        of = sorted((int(point["epc_mib"]), float(point["slowdown_simulated"]),
                     point["slowdown_paper"]) for point in points if point["model"] == model)
        axes.plot([each[0] for each in of], [each[1] for each in of], "o-", color=colour,
                  label=f"{model}, simulated")
        for mib, _, published in of:
            if published:
                axes.plot(mib, float(published), "X", color=colour, markersize=11,
                          markeredgecolor="black", label=f"{model}, the paper's SGX machine")
    axes.axhline(1, color="black", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.get_xaxis().set_major_formatter("{x:g}")
    axes.set_xlabel("enclave page cache, MiB")
    axes.set_ylabel("times a run without paging (simulated)")
    axes.set_title("What too little enclave memory costs, hot runs: simulated", loc="left",
                   fontsize=14)
    axes.grid(color="#dddddd")
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    save(figure, out, "plot-enclave-memory")


def main():
    out = pathlib.Path(sys.argv[1])
    result = json.loads((out / "result.json").read_text())
    latency(result, out, "hot", "plot-latency-memory", "Latency at the client, model in memory",
            "milliseconds (log); bars: 95 % interval of the median")
    latency(result, out, "cold", "plot-latency-disk",
            "Cold start: first answer, model on disk, page cache dropped",
            "milliseconds (log); bars: 95 % interval of the median")
    memory(result, out)
    base(result, out)
    simulated = pathlib.Path(sys.argv[2])
    if simulated.is_file():
        with open(simulated, newline="") as file:
            points = [point for point in csv.DictReader(file) if point["part"] == "hot"]
        enclave_memory(points, out)


if __name__ == "__main__":
    main()
