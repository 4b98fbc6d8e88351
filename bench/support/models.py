"""The models of bench/suite, made when a benchmark misses them."""

import pathlib
import subprocess
import sys

_GENERATOR = pathlib.Path(__file__).resolve().parents[1] / "suite" / "generate.py"


def add_option(parser):
    parser.add_argument("--suite", type=lambda text: pathlib.Path(text).expanduser(),
                        default=pathlib.Path("~/.cache/cloister/suite").expanduser(),
                        help="folder with the models of bench/suite; what is missing is made")


def make(folder, *names):
    """Has `folder` hold these models; what is there already and unchanged is kept."""
    subprocess.run([sys.executable, _GENERATOR, "--out", folder, *names], check=True)
