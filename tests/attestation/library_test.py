"""libcloister_verify as others take it: what it needs, what it exports, its header in C++."""

import pathlib
import re
import subprocess
import sys

NEEDED = {"libcrypto.so.3", "libstdc++.so.6", "libgcc_s.so.1", "libc.so.6", "libm.so.6",
          "ld-linux-x86-64.so.2"}
SANITIZERS = re.compile(r"lib(asan|ubsan|tsan)\.so\.\d+$")


def output(*command):
    return subprocess.run([str(each) for each in command], capture_output=True, text=True,
                          check=True).stdout


def main():
    library, header, compiler = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-d", library)))
    others = {each for each in needed - NEEDED if not SANITIZERS.match(each)}
    exported = [line.split()[-1] for line in output("nm", "-D", "--defined-only",
                                                    library).splitlines()]
    declared = set(re.findall(r"\b(cloister_verify_\w+)\(", header.read_text()))
    failures = []
    if others or "libcrypto.so.3" not in needed:
        failures.append(f"needs {sorted(needed)}, expected libcrypto and the language's own")
    if set(exported) != declared:
        failures.append(f"exports {sorted(exported)}, declares {sorted(declared)}")
    for language, standard in (("c", "c99"), ("c++", "c++11")):
        done = subprocess.run([compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra",
                               "-Werror", "-fsyntax-only", str(header)],
                              capture_output=True, text=True)
        if done.returncode:
            failures.append(f"the header does not compile as {standard}: {done.stderr}")
    print("\n".join(failures) or f"{library}: needs {sorted(needed)}, exports {sorted(exported)}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
