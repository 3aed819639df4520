# SPDX-License-Identifier: Apache-2.0
"""Peak memory and CPU time of builds up to the estimate, each in a process of its own.

python -m benchmarks.memory_and_time [--mlperf MODELS] [--only NAME] [--checkout OTHER]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from benchmarks import cnn_networks, quantized_networks
from benchmarks.resnet8_int8 import resnet8_int8

COLUMNS = ("network", "ends with", "peak MB", "CPU s", "wall s", "frames/s")
HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Network:
    """A model to build, and the options it wants."""

    name: str
    path: Path
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cost:
    """What a build took: its peak of resident memory in megabytes, seconds, and its last line."""

    code: int
    megabytes: float
    cpu: float
    wall: float
    line: str


def networks(folder: Path, mlperf: Path | None) -> list[Network]:
    """The table's rows; those that are not there yet are made in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    image = ("--input-type", "uint8", "--input-scale", "1/255")
    made = {
        "cnv-w1a1": (lambda: cnn_networks.cnv(1, 1), (*image, "--top-k", "1")),
        "qoperator-cnn": (quantized_networks.NETWORKS["qoperator-cnn"], ()),
        "resnet8-int8": (resnet8_int8, ()),
        "mobilenet-v2": (quantized_networks.NETWORKS["mobilenet-v2"], ()),
    }
    found = [Network(path.stem, path) for path in sorted(mlperf.glob("*.onnx"))] if mlperf else []
    for name, (make, options) in made.items():
        path = folder / f"{name}.onnx"
        if not path.is_file():
            onnx.save(make(), path)
        found.append(Network(name, path, options))
    return found


def measure(command: Sequence[str], checkout: Path) -> Cost:
    """Run a command to its end with the qnnc of a checkout."""
    environment = {**os.environ, "PYTHONPATH": f"{checkout / 'src'}:{checkout}"}
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=checkout
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        lines = [line.strip() for line in output.read().splitlines() if line.strip()]
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(process.returncode, usage.ru_maxrss / 1024, cpu, wall, lines[-1] if lines else "")


def row(network: Network, checkout: Path, extra: Sequence[str]) -> str:
    """Build a network up to the estimate; a line of the table."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "qnnc.cli", "build", str(network.path)]
        command += [*network.options, *extra, "--until", "estimate", "--out", f"{out}/b", "--json"]
        cost = measure(command, checkout)
        fps = "–"
        report = Path(out) / "b" / "report.json"
        if cost.code == 0:
            import json

            fps = f"{json.loads(report.read_text())['performance']['fps']:,.0f}"
    end = "ok" if cost.code == 0 else f"exit code {cost.code}: {cost.line[:300]}"
    cells = (
        network.name,
        end,
        f"{cost.megabytes:,.0f}",
        f"{cost.cpu:.1f}",
        f"{cost.wall:.1f}",
        fps,
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlperf", type=Path, help="folder of MLPerf Tiny's models")
    parser.add_argument("--folder", type=Path, default=Path("build/memory-and-time"))
    parser.add_argument("--checkout", type=Path, default=HERE, help="of the qnnc to measure")
    parser.add_argument("--only", action="append", default=[], help="a row; may be repeated")
    parser.add_argument("options", nargs="*", help="further options of qnnc build, after --")
    arguments = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    for network in networks(arguments.folder.resolve(), arguments.mlperf):
        if not arguments.only or network.name in arguments.only:
            print(row(network, arguments.checkout.resolve(), arguments.options), flush=True)


if __name__ == "__main__":
    main()
