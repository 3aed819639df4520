# SPDX-License-Identifier: Apache-2.0
"""What the graph passes cost, and how that grows with the depth of the network.

python -m benchmarks.pass_scaling [--network mlp] [--layers 64] [--width 64] [--fps 100000]
python -m benchmarks.pass_scaling --network residual --layers 22 --width 8 --fps 1000
python -m benchmarks.pass_scaling --network cnv --fps 6104

Compiles a chain of --layers layers or residual blocks, of about five or fifteen ONNX nodes each,
and one of twice as many, and prints the CPU seconds of every step: those of all threads, so that
ONNX Runtime counts in full. The second table has the comparison with the golden graph after each
pass in that pass's time. CNV has one size: both columns are CNV-W1A1.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from benchmarks.cnn_networks import cnv
from benchmarks.networks import MlpSpec, mlp
from benchmarks.qonnx_graph import QonnxGraph
from qnnc.compiler import build
from qnnc.compiler.progress import Silent

OVERHEAD = "(the rest)"
REPEATS = 3


class CpuClock(Silent):
    """CPU seconds between what a build says that it does.

    Attributes:
        seconds: by step; a pass that runs twice counts once.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._step, self._since = OVERHEAD, time.process_time()

    def detail(self, text: str, done: float | None = None) -> None:
        now = time.process_time()
        self.seconds[self._step] += now - self._since
        self._step, self._since = text, now

    def finished(self, name: str, status: str, seconds: float) -> None:
        self.detail(OVERHEAD)

    def warn(self, text: str) -> None:
        """Not of interest."""


def residual(blocks: int, channels: int) -> onnx.ModelProto:
    """Residual blocks of two 3x3 convolutions on an 8 x 8 image."""
    g = QonnxGraph()
    x = g.quantize(g.input((channels, 8, 8)), 4, 0.25)
    for _ in range(blocks):
        y = g.activation(g.batch_norm(g.conv(x, channels, (3, 3), 2, pads=1)), 4, scale=0.25)
        y = g.quantize(g.batch_norm(g.conv(y, channels, (3, 3), 2, pads=1)), 4, 0.25)
        x = g.activation(g.add(x, y), 4, scale=0.25)
    return g.model(x)


NETWORKS: dict[str, Callable[[int, int], onnx.ModelProto]] = {
    "mlp": lambda layers, width: mlp(MlpSpec((width,) * (layers + 1), 2, 2, "relu", 2)),
    "residual": residual,
    "cnv": lambda layers, width: cnv(1, 1),
}


@dataclass(frozen=True)
class Size:
    """What is compiled."""

    network: str
    layers: int
    width: int
    fps: float


def measure(size: Size, verify: str) -> tuple[int, dict[str, float], set[str]]:
    """Compile a chain; returns its ONNX nodes, CPU seconds by step, and which steps are passes."""
    proto = NETWORKS[size.network](size.layers, size.width)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.onnx"
        onnx.save(proto, path)
        clock = CpuClock()
        out = Path(folder) / "out"
        report = build(path, out=out, until="passes", fps=size.fps, verify=verify, progress=clock)
    return len(proto.graph.node), clock.seconds, {step.name for step in report.passes}


def least(size: Size, verify: str) -> tuple[int, dict[str, float], set[str]]:
    """As `measure`; of each step the least of several, since other work on the machine disturbs."""
    runs = [measure(size, verify) for _ in range(REPEATS)]
    nodes, first, passes = runs[0]
    return nodes, {step: min(seconds[step] for _, seconds, _ in runs) for step in first}, passes


def table(size: Size, verify: str) -> str:
    """Markdown: seconds by step for both depths, and their ratio."""
    twice = replace(size, layers=2 * size.layers)
    nodes, shallow, passes = least(size, verify)
    nodes_2, deep, _ = least(twice, verify)
    rows = [(name, shallow[name], deep[name]) for name in shallow]
    in_passes = [row for row in rows if row[0] in passes]
    rows += [
        (name, sum(row[1] for row in chosen), sum(row[2] for row in chosen))
        for name, chosen in (("**all passes**", in_passes), ("**everything**", list(rows)))
    ]
    lines = [
        f"| step | {size.layers} layers, {nodes} nodes "
        f"| {twice.layers} layers, {nodes_2} nodes | ratio |",
        "|---|---|---|---|",
    ]
    for name, a, b in rows:
        ratio = f"{b / a:.2f}" if a >= 0.01 else ""
        lines.append(f"| {name} | {a:.2f} | {b:.2f} | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    """Print a table without verification and one with a comparison after each pass."""
    parser = argparse.ArgumentParser(description="CPU seconds of the graph passes.")
    parser.add_argument("--network", choices=list(NETWORKS), default="mlp")
    parser.add_argument("--layers", type=int, default=64)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--fps", type=float, default=100_000)
    options = parser.parse_args()
    size = Size(options.network, options.layers, options.width, options.fps)
    measure(replace(size, layers=2), "each")  # what is imported when first used
    for verify, title in (("none", "Passes alone"), ("each", "With the verification after each")):
        print(f"{title}, CPU seconds\n\n{table(size, verify)}\n")


if __name__ == "__main__":
    main()
