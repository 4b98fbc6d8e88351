"""The story in one minute: `./dev demo` runs it.

A server starts, proves what it is, stores two models encrypted, answers for held-out rows as the
runtime itself does, refuses what is wrong, and survives a restart.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests"))

from support.server import Server  # noqa: E402  (the tests' own way to start the server)

WINDOW = 16
NAME_MIN = 6  # shorter names occur in random bytes by chance
MODELS = {"cancer": 0.95, "digits": 0.97}
CLASS_OUTPUT = {"cancer": "label", "digits": "probabilities"}


def say(text=""):
    print(text, flush=True)


def step(number, text):
    say(f"\n\033[1m{number}. {text}\033[0m")


def fail(text):
    say(f"\nFAILED: {text}")
    sys.exit(1)


class Cli:
    """The command line client, always for one server."""

    def __init__(self, programs, server, folder):
        self.program = str(pathlib.Path(programs) / "cloister")
        self.server = server
        self.token_file = pathlib.Path(folder) / "token"
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(server.token)

    def run(self, *arguments, simulation=True, check=True):
        flags = ["--server", self.server.url, "--token-file", str(self.token_file)]
        if simulation:
            flags.append("--allow-simulation")
        done = subprocess.run([self.program, *arguments, *flags], capture_output=True, text=True)
        if check and done.returncode != 0:
            fail(f"cloister {arguments[0]}: exit code {done.returncode}: {done.stderr.strip()}")
        return done


def windows_of(data):
    return {data[at:at + WINDOW] for at in range(len(data) - WINDOW + 1)}


def needles_of(path):
    """Every 16-byte window of every weight as the file holds it, and every name in the file.

    Weights are the initializers and the lists of numbers that tree nodes carry as attributes. A
    run of one value is left out: it says nothing, and any file has zeros.
    """
    model = onnx.load(path)
    windows = set()
    for tensor in model.graph.initializer:
        windows |= windows_of(tensor.raw_data)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type in (onnx.AttributeProto.FLOATS, onnx.AttributeProto.INTS):
                windows |= windows_of(attribute.SerializeToString())
    names = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        names.update([node.name, node.op_type, *node.input, *node.output])
    return ({window for window in windows if len(set(window)) > 1},
            {name.encode() for name in names if len(name) >= NAME_MIN})


def found_in(data, windows, names):
    return len(windows_of(data) & windows), sum(name in data for name in names)


def search_store(store, path):
    windows, names = needles_of(path)
    plain = found_in(path.read_bytes(), windows, names)
    files = sorted(p for p in store.rglob("*") if p.is_file())
    stored = [0, 0]
    for file in files:
        # On disk also the names that only the server knows: the model's own.
        hits = found_in(file.read_bytes(), windows, names | {path.stem.encode()})
        stored = [stored[0] + hits[0], stored[1] + hits[1]]
    say(f"   {path.name}: {len(windows)} windows of weights, {len(names)} names")
    say(f"      in the plain file:        {plain[0]} windows, {plain[1]} names found")
    say(f"      in {len(files)} files of the store:  {stored[0]} windows, {stored[1]} names "
        "found")
    if plain != (len(windows), len(names)):
        fail("the search does not even find all of it in the plain file, so it proves nothing")
    if stored != [0, 0]:
        fail("a part of the model lies in the store in the clear")


def classes(name, outputs):
    values = outputs[CLASS_OUTPUT[name]]
    return values if values.ndim == 1 else values.argmax(axis=1)


def predict(cli, name, folder):
    """The server's outputs for all held-out rows, through the command line."""
    target = pathlib.Path(folder) / f"{name}.out.npz"
    cli.run("infer", name, "--input", str(HERE / f"{name}.inputs.npy"), "--output", str(target))
    with np.load(target) as file:
        return {key: file[key] for key in file.files}


def compare(name, outputs):
    inputs = np.load(HERE / f"{name}.inputs.npy")
    labels = np.load(HERE / f"{name}.labels.npy")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(HERE / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
    direct = dict(zip([o.name for o in session.get_outputs()],
                      session.run(None, {session.get_inputs()[0].name: inputs})))
    got, wanted = classes(name, outputs), classes(name, direct)
    right = float((got == labels).mean())
    same = float((got == wanted).mean())
    exact = all(np.allclose(outputs[key], direct[key], rtol=1e-5, atol=1e-6) for key in direct)
    shown = min(12, len(labels))
    say(f"   {name}: {len(labels)} rows it never saw")
    say(f"      label      {' '.join(str(v) for v in labels[:shown])} ...")
    say(f"      cloister   {' '.join(str(v) for v in got[:shown])} ...")
    say(f"      agreement with the labels {right:.1%} (at least {MODELS[name]:.0%}), "
        f"with the runtime used directly {same:.1%}")
    if right < MODELS[name] or same != 1.0 or not exact:
        fail("the answers are not as good as they must be")


def with_curl(server, token_file, folder):
    target = pathlib.Path(folder) / "curl.npz"
    row = HERE / "cancer.inputs.npy"
    header = pathlib.Path(folder) / "header"
    header.touch(mode=0o600)
    header.write_text(f"Authorization: Bearer {token_file.read_text()}")
    command = ["curl", "--silent", "--show-error", "--insecure", "--pinnedpubkey", server.pin,
               "--header", f"@{header}", "--header", "Content-Type: application/x-npy",
               "--header", "Accept: application/x-npz", "--data-binary", f"@{row}",
               "--output", str(target), f"{server.url}/v2/models/cancer/infer"]
    say(f"   $ curl --insecure --pinnedpubkey {server.pin} -H @token \\")
    say("          -H 'Content-Type: application/x-npy' --data-binary @cancer.inputs.npy \\")
    say("          .../v2/models/cancer/infer")
    subprocess.run(command, check=True)
    with np.load(target) as file:
        labels = np.load(HERE / "cancer.labels.npy")
        right = (file["label"] == labels).mean()
    say(f"      {right:.1%} right, from {target.stat().st_size} bytes of .npz")
    wrong_pin = "sha256//" + "A" * 43 + "="
    refused = subprocess.run([wrong_pin if part == server.pin else part for part in command],
                             stderr=subprocess.DEVNULL)
    if refused.returncode == 0:
        fail("curl accepted a server with another key")
    say("      with another pin curl refuses to talk at all")


def refuse_wrong_input(cli, folder):
    wrong = pathlib.Path(folder) / "wrong.npy"
    np.save(wrong, np.load(HERE / "cancer.inputs.npy").astype(np.float64))
    done = cli.run("infer", "cancer", "--input", str(wrong), "--output",
                   str(pathlib.Path(folder) / "never.npz"), check=False)
    say(f"   exit code {done.returncode}: {done.stderr.strip()}")
    if done.returncode != 1 or "expected float32" not in done.stderr:
        fail("a float64 array should have been refused with a clear message")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True, help="folder of cloisterd and cloister")
    programs = pathlib.Path(parser.parse_args().programs)
    with tempfile.TemporaryDirectory(prefix="cloister-demo-") as folder:
        run_story(programs, pathlib.Path(folder))
    say("\nAll of it held. Everything was removed again.")


def run_story(programs, folder):
    store = folder / "server"
    step(1, "A server starts, with an empty encrypted store")
    server = Server(programs, store)
    try:
        say(f"   {server.url}, key {server.pin}")
        cli = Cli(programs, server, folder)

        step(2, "It proves what it is, before a byte of data is sent")
        refused = cli.run("attest", simulation=False, check=False)
        say(f"   without --allow-simulation, exit code {refused.returncode}: "
            f"{(refused.stderr or refused.stdout).strip().splitlines()[0]}")
        if refused.returncode != 3:
            fail("simulated evidence must not pass for real")
        say("   with it:")
        for line in cli.run("attest").stdout.strip().splitlines():
            say(f"      {line}")

        step(3, "A model's owner uploads two models")
        for name in MODELS:
            done = cli.run("upload", name, "1", str(HERE / f"{name}.onnx"), "--json")
            say(f"   {name}: sha256 {json.loads(done.stdout)['sha256']}")

        step(4, "What the disk shows of them")
        for name in MODELS:
            search_store(store, HERE / f"{name}.onnx")
        say("   (Simulation: the root key lies beside the store, so nothing is protected from this")
        say("   machine's owner. With SGX, TDX or SEV-SNP only the attested program has the key.)")

        step(5, "A data owner sends rows that the models never saw")
        for name in MODELS:
            compare(name, predict(cli, name, folder))

        step(6, "The same with curl, which knows nothing but the pinned key")
        with_curl(server, cli.token_file, folder)

        step(7, "A wrong input is refused, and says what to change")
        refuse_wrong_input(cli, folder)

        step(8, "The server restarts on its store")
        token = server.token
        if server.stop() != 0:
            fail("the server did not stop cleanly")
        server = Server(programs, store)
        server.token = token
        again = Cli(programs, server, folder)
        stored = json.loads(again.run("models", "--json").stdout)
        say(f"   still there: {', '.join(sorted(each['name'] for each in stored))}")
        compare("digits", predict(again, "digits", folder))

        step(9, "Cleaning up")
        for name in MODELS:
            done = again.run("delete", name, "1", "--json")
            say(f"   {name}: erased, {json.loads(done.stdout)['erasure']}")
    finally:
        server.stop()
    left = [p.name for p in store.rglob("*") if p.is_file()]
    say(f"   left in the store: {', '.join(sorted(left))}")


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    main()
