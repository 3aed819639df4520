# SPDX-License-Identifier: Apache-2.0
"""What the graph passes cost, and how that grows with the depth of the network.

python -m benchmarks.pass_scaling [--layers 64] [--width 64] [--fps 100000]

Compiles a chain of --layers layers, of about five ONNX nodes each, and one of twice as many, and
prints the CPU seconds of every step: those of all threads, so that ONNX Runtime counts in full.
The second table has the comparison with the golden graph behind each pass in that pass's time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import onnx

from benchmarks.networks import MlpSpec, mlp
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


def measure(
    layers: int, width: int, fps: float, verify: str
) -> tuple[int, dict[str, float], set[str]]:
    """Compile a chain; returns its ONNX nodes, CPU seconds by step, and which steps are passes."""
    proto = mlp(MlpSpec((width,) * (layers + 1), 2, 2, "relu", 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.onnx"
        onnx.save(proto, path)
        clock = CpuClock()
        out = Path(folder) / "out"
        report = build(path, out=out, until="passes", fps=fps, verify=verify, progress=clock)
    return len(proto.graph.node), clock.seconds, {step.name for step in report.passes}


def least(
    layers: int, width: int, fps: float, verify: str
) -> tuple[int, dict[str, float], set[str]]:
    """As `measure`; of each step the least of several, since other work on the machine disturbs."""
    runs = [measure(layers, width, fps, verify) for _ in range(REPEATS)]
    nodes, first, passes = runs[0]
    return nodes, {step: min(seconds[step] for _, seconds, _ in runs) for step in first}, passes


def table(layers: int, width: int, fps: float, verify: str) -> str:
    """Markdown: seconds by step for both depths, and their ratio."""
    nodes, shallow, passes = least(layers, width, fps, verify)
    nodes_2, deep, _ = least(2 * layers, width, fps, verify)
    rows = [(name, shallow[name], deep[name]) for name in shallow]
    in_passes = [row for row in rows if row[0] in passes]
    rows += [
        (name, sum(row[1] for row in chosen), sum(row[2] for row in chosen))
        for name, chosen in (("**all passes**", in_passes), ("**everything**", list(rows)))
    ]
    lines = [
        f"| step | {layers} layers, {nodes} nodes | {2 * layers} layers, {nodes_2} nodes | ratio |",
        "|---|---|---|---|",
    ]
    for name, a, b in rows:
        ratio = f"{b / a:.2f}" if a >= 0.01 else ""
        lines.append(f"| {name} | {a:.2f} | {b:.2f} | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    """Print a table without verification and one with a comparison behind each pass."""
    parser = argparse.ArgumentParser(description="CPU seconds of the graph passes.")
    parser.add_argument("--layers", type=int, default=64)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--fps", type=float, default=100_000)
    options = parser.parse_args()
    size = (options.layers, options.width, options.fps)
    measure(2, *size[1:], "each")  # what is imported when first used
    for verify, title in (("none", "Passes alone"), ("each", "With the verification behind each")):
        print(f"{title}, CPU seconds\n\n{table(*size, verify)}\n")


if __name__ == "__main__":
    main()
