"""./dev bench paper: the paper's tables, measured here, and the goals that they are held to.

Thirteen models, in memory and from disk, one thread, the same inputs, a client on the loopback
interface, client and servers pinned to a core each. Everybody is asked once a round, in random
order. Results, tables and plots are written to build/bench/paper; what an earlier run of the same
build on the same machine has measured is kept, unless --fresh is given.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(ROOT / "bench" / "suite"))

import baselines  # noqa: E402
import catalogue  # noqa: E402
import goals  # noqa: E402
import machine  # noqa: E402
import tables  # noqa: E402
from contestants import CloisterInline, CloisterProcess, Direct, Model, Place  # noqa: E402
from measure import measure  # noqa: E402

QUICK_MODELS = ("squeezenet", "resnet50", "bert-base")


class Settings:
    """How much is measured, and until when rounds may be repeated."""

    def __init__(self, quick, models):
        self.rounds, self.cold_rounds, self.dropped = (7, 5, 2) if quick else (25, 25, 5)
        self.models = tuple(models or (QUICK_MODELS if quick else catalogue.PAPER))
        self._began = time.monotonic()
        self._seconds = (4 if quick else 45) * 60

    def elapsed(self):
        return time.monotonic() - self._began

    def time_for(self, seconds):
        """Whether rounds that take so long may be repeated: the end must come in time."""
        return self.elapsed() + seconds < self._seconds

    def facts(self):
        return {"rounds": self.rounds, "cold_rounds": self.cold_rounds, "dropped": self.dropped,
                "intra_op_threads": 1, "inter_op_threads": 1}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--suite", type=pathlib.Path, help="where the models are kept",
                        default=pathlib.Path("~/.cache/cloister/suite"))
    parser.add_argument("--out", type=pathlib.Path, help="default build/bench/paper[-quick]")
    parser.add_argument("--quick", action="store_true", help="three models, few rounds")
    parser.add_argument("--models", nargs="+", choices=list(catalogue.PAPER), metavar="NAME",
                        help="these of the thirteen only")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there")
    return parser.parse_args()


def fingerprint(programs, settings, kinds):
    """Changes with anything that the numbers depend on."""
    digest = hashlib.sha256(json.dumps([settings.facts(), [kind.key for kind in kinds]]).encode())
    sources = [HERE / f"{name}.py" for name in ("contestants", "machine", "measure")]
    sources += sorted((ROOT / "bench/baselines").rglob("*.py"))
    for path in [*(programs / name for name in ("cloisterd", "cloister-sandbox", "paper_bench")),
                 *sources]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def say_with(settings):
    return lambda text: print(f"[{settings.elapsed() / 60:5.1f} min] {text}", flush=True)


def one_model(arguments, settings, kinds, name):
    client_core, server_core = machine.cores()
    with tempfile.TemporaryDirectory(dir=arguments.out, prefix="work-") as folder:
        place = Place(arguments.programs, pathlib.Path(folder), client_core, server_core)
        try:
            return measure(place, Model(arguments.suite, name), kinds, settings,
                           say_with(settings))
        finally:
            place.stop()


def all_models(arguments, settings, kinds, mark):
    records = []
    for number, name in enumerate(settings.models, 1):
        kept = arguments.out / f"{name}.json"
        if kept.is_file() and not arguments.fresh:
            record = json.loads(kept.read_text())
            if record["fingerprint"] == mark:
                print(f"{name}: measured before", flush=True)
                records.append(record)
                continue
        say_with(settings)(f"model {number} of {len(settings.models)}: {name}")
        load = machine.description(ROOT)["load_average"]
        record = one_model(arguments, settings, kinds, name)
        record |= {"fingerprint": mark, "load_average": [load[0], machine.description(ROOT)
                                                         ["load_average"][0]]}
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps(record))
        partial.replace(kept)
        records.append(record)
    return records


def main():
    arguments = parse_arguments()
    arguments.suite = arguments.suite.expanduser()
    arguments.out = arguments.out or ROOT / "build/bench" / (
        "paper-quick" if arguments.quick else "paper")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for left in arguments.out.glob("work-*"):
        shutil.rmtree(left)
    settings = Settings(arguments.quick, arguments.models)
    subprocess.run([sys.executable, ROOT / "bench/suite/generate.py", "--out", arguments.suite,
                    *settings.models], check=True)
    others, absent = baselines.available(arguments.quick, say_with(settings))
    kinds = [Direct, CloisterProcess, CloisterInline, *others]
    facts = {"machine": machine.description(ROOT), "settings": settings.facts(),
             "cores": machine.cores(), "versions": baselines.versions(),
             "contestants": {kind.key: kind.label for kind in kinds}, "absent": absent}
    mark = fingerprint(arguments.programs, settings, kinds)
    records = all_models(arguments, settings, kinds, mark)
    facts["minutes"] = round(settings.elapsed() / 60, 1)
    facts["images"] = {key: baselines.image_bytes(key, processes)
                       for key, processes in records[0]["mapped"].items()}
    facts["load_average_at_end"] = machine.description(ROOT)["load_average"]
    judged = goals.judge(records)
    result = {"facts": facts, "goals": judged, "records": records}
    (arguments.out / "result.json").write_text(json.dumps(result))
    tables.write(result, arguments.out)
    plotted = subprocess.run([baselines.PYTHON, HERE / "plots.py", arguments.out,
                              ROOT / "build" / "epc.csv"])
    print(f"written to {arguments.out}")
    for line in judged:
        print(line["text"])
    return 0 if plotted.returncode == 0 and all(line["met"] for line in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
