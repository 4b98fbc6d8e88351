"""Runs the ONNX backend test suite through Cloister and through the runtime called directly.

    run.py --admit build/dev/bin/graph_admit [--data FOLDER ...]
    run.py --server build/dev/bin [--data FOLDER ...]

Every case that the runtime, called directly, loads and passes and whose inputs and outputs are
tensors of the protocol's types must be accepted and give the same result. All others are counted,
and listed with --list. Without --data, the cases are those of the installed `onnx` package.
"""

import argparse
import collections
import os
import sys
import warnings

import onnx

import backends
import cases

OUTCOMES = ["same", "same in tolerance", "same kind (random)", "differs", "refused wrongly",
            "refused, not tensors", "refused, domain not served", "not by the runtime",
            "accepted all the same"]
BAD = {"differs", "refused wrongly"}
DOMAINS_NOT_SERVED = ("ai.onnx.preview.training", "ai.onnx.preview")


def run_directly(case, model):
    """The feeds and the runtime's results for each data set, or None if it does not pass them."""
    session = cases.session_of(str(case.model))
    names = [value.name for value in session.get_inputs()]
    random = cases.is_random(model)
    done = []
    for inputs, expected in cases.data_sets(case):
        feeds = dict(zip(names, map(cases.to_array, inputs)))
        results = session.run(None, feeds)
        wanted = [cases.to_array(proto) for proto in expected]
        agree = cases.same_kind if random else cases.agrees
        if len(results) != len(wanted) or not all(map(agree, results, wanted)):
            return None
        done.append((feeds, results))
    return done


def judge(case, backend):
    """(outcome, remark) of one case."""
    model = onnx.load(str(case.model), load_external_data=False)
    values = list(model.graph.input) + list(model.graph.output)
    tensors = all(map(cases.is_tensor_of_protocol, values))
    direct = None
    if tensors:
        try:
            direct = run_directly(case, model)
        except Exception as error:  # pylint: disable=broad-except
            remark = str(error).replace("\n", " ")[:120]
        else:
            remark = "" if direct is not None else "its results are not the expected ones"
    try:
        backend.load(str(case.model))
    except backends.Refused as refusal:
        if not tensors:
            expected = "signature-type" in refusal.rules
            return ("refused, not tensors" if expected else "refused wrongly"), str(refusal)
        if direct:
            return "refused wrongly", str(refusal)
        if any(node.domain in DOMAINS_NOT_SERVED for node in model.graph.node):
            return "refused, domain not served", str(refusal)
        return "not by the runtime", str(refusal)
    except Exception as error:  # pylint: disable=broad-except
        said = "does not load: " + str(error).replace("\n", " ")[-160:]
        return ("not by the runtime" if direct is None else "differs"), said
    if not tensors:
        return "refused wrongly", "accepted, though not all of it is tensors of the protocol"
    if direct is None:
        return "accepted all the same", remark
    random = cases.is_random(model)
    exact = True
    for feeds, wanted in direct:
        try:
            results = backend.run(feeds)
        except Exception as error:  # pylint: disable=broad-except
            return "differs", str(error).replace("\n", " ")[:160]
        agree = cases.same_kind if random else cases.agrees
        if len(results) != len(wanted) or not all(map(agree, results, wanted)):
            return "differs", "other results"
        exact = exact and all(cases.agrees(a, b, exactly=True) for a, b in zip(results, wanted))
    if random:
        return "same kind (random)", ""
    return ("same" if exact else "same in tolerance"), ""


def some_of(all_cases, every):
    """Every `every`th case of each category."""
    if every == 1:
        return all_cases
    seen = collections.Counter()
    kept = []
    for case in all_cases:
        if seen[case.category] % every == 0:
            kept.append(case)
        seen[case.category] += 1
    return kept


def print_table(counts):
    categories = sorted(counts)
    width = max(map(len, OUTCOMES))
    print(" " * width, *(f"{name:>18}" for name in categories), f"{'all':>8}")
    for outcome in OUTCOMES:
        numbers = [counts[category][outcome] for category in categories]
        print(f"{outcome:<{width}}", *(f"{n:>18}" for n in numbers), f"{sum(numbers):>8}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--admit", help="the graph_admit program")
    way.add_argument("--server", help="folder of the server's programs")
    parser.add_argument("--data", action="append", help="folder of cases; may stand several times")
    parser.add_argument("--list", action="store_true", help="print every case that is not `same`")
    parser.add_argument("--every", type=int, default=1, metavar="N",
                        help="of each category only every Nth case")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    packaged = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
    backend = (backends.Admission(arguments.admit) if arguments.admit
               else backends.WholeServer(arguments.server))
    counts = collections.defaultdict(collections.Counter)
    failed = 0
    for root in arguments.data or [packaged]:
        for case in some_of(cases.cases_below(root), arguments.every):
            outcome, remark = judge(case, backend)
            if "timed out" in remark:
                backend.restart()
            else:
                backend.unload()
            counts[case.category][outcome] += 1
            failed += outcome in BAD
            if outcome in BAD or (arguments.list and outcome != "same"):
                print(f"{outcome}: {case.category}/{case.name}: {remark}", flush=True)
    backend.close()
    print_table(counts)
    total = sum(sum(counter.values()) for counter in counts.values())
    print(f"{total - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
