"""Requests made from the OpenAPI description by schemathesis, against a real server.

--cases N chooses how many at least (20,000). Every answer must be one that the description has, and
none may be a 500. The first run makes an environment of its own in build/soak.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from e2e.case import PROGRAMS, ROOT, identity_model
from onnx import TensorProto
from support.server import Server

ENVIRONMENT = ROOT / "build" / "soak" / "openapi"
REQUIREMENTS = pathlib.Path(__file__).with_name("openapi-requirements.txt")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance," \
    "response_schema_conformance,response_headers_conformance"


def environment():
    """The folder of schemathesis' programs."""
    stamp = ENVIRONMENT / "requirements.txt"
    wanted = REQUIREMENTS.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        subprocess.run([ENVIRONMENT / "bin" / "pip", "install", "--quiet", "--only-binary", ":all:",
                        "--require-hashes", "-r", REQUIREMENTS], check=True)
        stamp.write_text(wanted)
    return ENVIRONMENT / "bin"


def usable(document):
    """The description without what would take the model or the token away from the others."""
    for path, method in (("/v2/models/{m}/versions/{v}", "delete"),
                         ("/v2/principals/{p}/tokens", "delete")):
        del document["paths"][path][method]
    return document


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    programs = environment()
    with tempfile.TemporaryDirectory(prefix="cloister-openapi-") as name:
        folder = pathlib.Path(name)
        with Server(PROGRAMS, folder / "server") as server, server.session() as session:
            session.put(server.url + "/v2/models/example/versions/1",
                        data=identity_model(TensorProto.FLOAT, ("n", 4))).raise_for_status()
            certificate = folder / "server.pem"
            certificate.write_text(server.certificate())
            document = usable(session.get(server.url + "/v2/openapi.json").json())
            operations = sum(method != "parameters" for item in document["paths"].values()
                             for method in item)
            (folder / "openapi.json").write_text(json.dumps(document))
            done, round_number = 0, 0
            while done < arguments.cases:
                ran = subprocess.run(
                    [programs / "schemathesis", "run", folder / "openapi.json",
                     "--url", server.url, "--tls-verify", certificate, "--checks", CHECKS,
                     "-H", f"Authorization: Bearer {server.token}", "--mode", "all",
                     "--phases", "examples,coverage,fuzzing",
                     "--max-examples", str(max(20, arguments.cases // operations)),
                     "--seed", str(arguments.seed + round_number), "--no-color",
                     "--suppress-health-check", "all", "--request-timeout", "60"],
                    cwd=folder, capture_output=True, text=True)
                made = re.search(r"(\d+) generated", ran.stdout)
                print(ran.stdout[-6000:] if ran.returncode else ran.stdout[-600:], ran.stderr,
                      flush=True)
                if ran.returncode or not made or server.process.poll() is not None:
                    return 1
                done += int(made.group(1))
                round_number += 1
            print(f"openapi: {done} cases (goal {arguments.cases})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
