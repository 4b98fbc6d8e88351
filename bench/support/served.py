"""The tests' way to start a server, for benchmarks: both trees have a package `support`."""

import importlib.util
import pathlib

_PATH = pathlib.Path(__file__).resolve().parents[2] / "tests" / "support" / "server.py"
_SPEC = importlib.util.spec_from_file_location("tests_server", _PATH)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)

Server = _MODULE.Server
content_digest = _MODULE.content_digest
