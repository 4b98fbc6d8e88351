"""The tests' way to start a server, for benchmarks: both trees have a package `support`."""

import importlib.util
import pathlib

_FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests" / "support"


def _load(name):
    spec = importlib.util.spec_from_file_location(f"tests_{name}", _FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_SERVER = _load("server")
Server = _SERVER.Server
content_digest = _SERVER.content_digest
family_of = _load("processes").family_of
