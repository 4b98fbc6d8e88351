"""./dev bench paper: the paper's tables, measured here, and the goals that they are held to.

Thirteen models, in memory and from disk, one thread, the same inputs, a client on the loopback
interface, client and servers pinned to a core each. Everybody is asked once a round, in random
order. Results, tables and plots are written to build/bench/paper; what an earlier run of the same
build on the same machine has measured is kept, unless --fresh is given.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import signal
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
from contestants import (CloisterInline, CloisterProcess, Direct, Model, Place,  # noqa: E402
                         RustOrt)
from measure import FAILURES, measure  # noqa: E402

QUICK_MODELS = ("squeezenet", "resnet50", "bert-base")


class Settings:
    """How much is measured, and for how long in all rounds may be repeated."""

    def __init__(self, quick, models):
        self.rounds, self.cold_rounds, self.dropped = (7, 5, 2) if quick else (25, 25, 5)
        self.models = tuple(models or (QUICK_MODELS if quick else catalogue.PAPER))
        self._began = time.monotonic()
        self._spare = (1 if quick else 6) * 60

    def elapsed(self):
        return time.monotonic() - self._began

    def time_for(self, seconds):
        """Takes what a repetition needs from the time that is set aside, where it is there."""
        if seconds > self._spare:
            return False
        self._spare -= seconds
        return True

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


def fingerprint(arguments, settings, kinds):
    """Changes with anything that the numbers depend on: what was measured with other settings, by
    another build or on another machine is not kept."""
    digest = hashlib.sha256(json.dumps([machine.identity(), settings.facts(), machine.cores(),
                                        [kind.key for kind in kinds]]).encode())
    sources = [HERE / f"{name}.py" for name in ("contestants", "machine", "measure",
                                                "trusted_base")]
    sources += sorted((ROOT / "bench/baselines").glob("*.*"))
    programs = [arguments.programs / name
                for name in ("cloisterd", "cloister-sandbox", "paper_bench")]
    programs += [kind.program for kind in kinds if hasattr(kind, "program")]
    for path in [*programs, RustOrt.library, *sources]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def model_fingerprint(arguments, mark, name):
    record = json.loads((arguments.suite / f"{name}.json").read_text())
    return hashlib.sha256(f"{mark} {record['sha256']}".encode()).hexdigest()


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


def kept_record(file, mark):
    """What an earlier run measured, if it was the same in everything."""
    try:
        record = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return record if record["fingerprint"] == mark else None


def all_models(arguments, settings, kinds, mark, facts):
    """The records, oldest runs' included. A model that fails is named in `facts`."""
    records = []
    say = say_with(settings)
    for number, name in enumerate(settings.models, 1):
        file = arguments.out / f"{name}.json"
        own_mark = model_fingerprint(arguments, mark, name)
        record = None if arguments.fresh else kept_record(file, own_mark)
        if record:
            say(f"model {number} of {len(settings.models)}: {name} was measured {record['date']}")
            facts["kept"].append(name)
            records.append(record)
            continue
        say(f"model {number} of {len(settings.models)}: {name}")
        before, began = machine.description(ROOT), settings.elapsed()
        try:
            record = one_model(arguments, settings, kinds, name)
        except FAILURES as problem:
            say(f"WITHOUT {name}: {problem}")
            facts["failed"][name] = str(problem)
            continue
        record |= {"fingerprint": own_mark, "date": before["date"],
                   "minutes": (settings.elapsed() - began) / 60,
                   "load_average": [before["load_average"][0], os.getloadavg()[0]]}
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(record))
        partial.replace(file)
        records.append(record)
    return records


def left_out(facts, records):
    """A line for each contestant and model that is not in the tables."""
    return [*(f"{name}: {why}" for name, why in facts["absent"].items()),
            *(f"{name}: {why}" for name, why in facts["failed"].items()),
            *(f"{facts['contestants'][key]} for {record['model']}: {why}"
              for record in records for key, why in record["failed"].items())]


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped on the way out
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
             "contestants": {kind.key: kind.label for kind in kinds}, "absent": absent,
             "kept": [], "failed": {}}
    mark = fingerprint(arguments, settings, kinds)
    records = all_models(arguments, settings, kinds, mark, facts)
    if not records:
        raise SystemExit("paper: no model could be measured")
    facts["minutes"] = round(sum(record["minutes"] for record in records), 1)
    facts["images"] = {key: baselines.image_bytes(key, processes)
                       for key, processes in records[0]["mapped"].items()}
    facts["left_out"] = left_out(facts, records)
    judged = goals.judge(records)
    result = {"facts": facts, "goals": judged, "records": records}
    (arguments.out / "result.json").write_text(json.dumps(result))
    tables.write(result, arguments.out)
    plotted = subprocess.run([baselines.PYTHON, HERE / "plots.py", arguments.out,
                              ROOT / "build" / "epc.csv"])
    print(f"written to {arguments.out}")
    for line in facts["left_out"]:
        print(f"paper: left out: {line}")
    for line in judged:
        print(line["text"])
    done = plotted.returncode == 0 and not facts["failed"]
    return 0 if done and all(line["met"] for line in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
