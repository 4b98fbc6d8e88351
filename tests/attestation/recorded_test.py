"""`cloister attest --evidence` on every recorded vector, its JSON field by field.

The vectors are third parties' and lie beside the repository; without them this says that it was
skipped, and how ctest is told so.
"""

import json
import pathlib
import subprocess
import sys

SKIPPED = 77
TODAY = "2026-11-22T00:00:00Z"


def judge(program, vectors, vector, at):
    path = vector.get("quote") or vector.get("report") or vector.get("cert")
    if path is None:
        path = vector["dir"] + (vector["file"] + ".msg" if "file" in vector else "")
    command = [program, "attest", "--json", "--at", at, "--evidence", vectors / path]
    if "collateral" in vector:
        command += ["--endorsements", vectors / vector["collateral"]]
    if "nonce" in vector:
        command += ["--nonce", vector["nonce"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 3:  # nothing is pinned: the default policy accepts none of them
        return {"failure": f"exit code {done.returncode}: {done.stderr}"}
    return json.loads(done.stdout)


def problems(vector, verdict):
    """What differs from the vector's expectations."""
    if "failure" in verdict:
        return [verdict["failure"]]
    found = []
    rules = [refusal["rule"] for refusal in verdict["refusals"]]

    def same(what, seen, expected):
        if seen != expected:
            found.append(f"{what}: {seen!r}, expected {expected!r}")

    if vector.get("expected_tcb_status"):
        same("status", verdict.get("tcb_status"), vector["expected_tcb_status"])
        same("advisories", verdict["advisories"], vector["expected_advisories"])
    if vector.get("expected", "ok") != "ok":
        same("rule", verdict["rule"], vector["expected"].split(":")[1])
    elif "expected" in vector:
        same("authentic", verdict["authentic"], True)
    if vector.get("debug") and verdict["authentic"]:
        same("debug", (verdict["debug"], "debug" in rules), (True, True))
    claims = vector.get("claims")
    for name, value in (claims.items() if isinstance(claims, dict) else ()):
        if name in ("reportdata", "report_data"):
            same(name, verdict["report_data"], value)
        else:
            same(name, verdict["measurements"].get(name), str(value))
    for name in ("mrenclave", "mrsigner", "mrtd", "pcr0", "fmspc", "measurement"):
        if name in vector:
            same(name, verdict["measurements"].get(name), vector[name])
    return found


def main():
    program, vectors = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    if not (vectors / "vectors.json").exists():
        print(f"SKIPPED: the recorded evidence is not at {vectors}")
        sys.exit(SKIPPED)
    failures = 0
    all_vectors = json.loads((vectors / "vectors.json").read_text())["vectors"]
    for vector in all_vectors:
        found = problems(vector, judge(program, vectors, vector, vector.get("verify_at", TODAY)))
        if "collateral" in vector:
            later = judge(program, vectors, vector, TODAY)
            rules = [refusal["rule"] for refusal in later.get("refusals", [])]
            if "collateral-expired" not in rules:
                found.append(f"today: {rules}, expected collateral-expired")
        for problem in found:
            print(f"{vector['id']}: {problem}")
        failures += bool(found)
    print(f"{len(all_vectors) - failures} of {len(all_vectors)} vectors agree")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
