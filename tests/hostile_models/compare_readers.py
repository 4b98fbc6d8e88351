"""Asks ONNX's checker and the runtime what they think of the models of this folder.

    compare_readers.py build/dev/bin/write_models

Each is asked in a process of its own with limits on memory and time, as some of the models end it.
The table is what docs/admission.md explains; admission itself refuses every `hostile` model.
"""

import collections
import pathlib
import resource
import subprocess
import sys
import tempfile

MEMORY_MAX = 3 << 30
SECONDS_MAX = 10


def ask(path):
    """Prints `checker runtime`, each + or -."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX))
    import onnx  # pylint: disable=import-outside-toplevel
    import onnxruntime  # pylint: disable=import-outside-toplevel

    data = pathlib.Path(path).read_bytes()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    verdict = []
    for check in (lambda: onnx.checker.check_model(data),
                  lambda: onnxruntime.InferenceSession(data, options)):
        try:
            check()
            verdict.append("+")
        except Exception:  # pylint: disable=broad-except
            verdict.append("-")
    print(*verdict)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--ask":
        return ask(sys.argv[2])
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    table = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True, capture_output=True)
        for path in sorted(pathlib.Path(folder).glob("*.onnx")):
            done = subprocess.run([sys.executable, __file__, "--ask", path], capture_output=True,
                                  text=True, check=False)
            kind, _, name = path.stem.partition("-")
            table[kind, done.stdout.strip() or f"ended by signal {-done.returncode}"].append(name)
    for (kind, verdict), names in sorted(table.items()):
        print(f"{kind}; checker, runtime: {verdict} ({len(names)}): {' '.join(names)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
